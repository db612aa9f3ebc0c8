package keyturn

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/raced"
	"example.com/keyturn/shared/identity"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const calledBy = "https://us-central1-acme.cloudfunctions.net/keyturn-alert-http"

// guarded is the functions, as the framework serves them, that a service account
// of the embedded cloud may ask to list incidents and for nothing else.
type guarded struct {
	*process
	cloud *localgcp.Cloud
}

func guard(t *testing.T, environ ...string) guarded {
	t.Helper()
	g, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "acme", Clock: clock.New()})
	must(t, err)
	t.Cleanup(func() { must(t, g.Close()) })
	accounts, err := iam.NewIamClient(t.Context(), option.WithEndpoint(g.Addr()), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	must(t, err)
	defer accounts.Close()
	for _, id := range []string{"oncall", "intruder"} {
		_, err = accounts.CreateServiceAccount(t.Context(), &adminpb.CreateServiceAccountRequest{Name: "projects/acme", AccountId: id})
		must(t, err)
	}
	return guarded{serve(t, append(environ, "KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT="+g.Addr(), "KEYTURN_AUDIENCES="+calledBy)...), g}
}

func (g guarded) token(account, audience string) string {
	g.Helper()
	token, err := g.cloud.IAM.IdentityToken(account+"@acme.iam.gserviceaccount.com", audience)
	must(g.T, err)
	return token
}

// raw is a request as it stands on the wire, and whether its body breaks off.
func raw(function, token, body string, length int) string {
	r := "POST /" + function + " HTTP/1.1\r\nHost: keyturn\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(length) + "\r\n"
	if token != "" {
		r += "Authorization: Bearer " + token + "\r\n"
	}
	return r + "\r\n" + body
}

var dated = regexp.MustCompile(`Date: [^\r]*\r\n`)

// say sends a request and returns the whole answer but for its date.
func (g guarded) say(request string) (string, error) {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(g.url, "http://"), 30*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer strings.Builder
	if err := resp.Write(&answer); err != nil {
		return "", err
	}
	return dated.ReplaceAllString(answer.String(), ""), nil
}

const listing = `{"command":"list"}`

// TestOnlyKnownCallersReachTheFunctions, with tokens of the embedded cloud's and
// the program that is deployed.
func TestOnlyKnownCallersReachTheFunctions(t *testing.T) {
	g := guard(t, "KEYTURN_CALLERS=oncall@acme.iam.gserviceaccount.com: list")
	for _, audience := range []string{calledBy, identity.AudienceGcloud} {
		if answer, err := g.say(raw("AlertHTTP", g.token("oncall", audience), listing, len(listing))); err != nil || !strings.HasPrefix(answer, "HTTP/1.1 200 OK") {
			t.Errorf("%s, %v", answer, err)
		}
	}
	refusal, err := g.say(raw("AlertHTTP", "", listing, len(listing)))
	must(t, err)
	if !strings.HasPrefix(refusal, "HTTP/1.1 403 Forbidden\r\n") || !strings.Contains(refusal, "\r\nConnection: close\r\n") {
		t.Errorf("refusal %q", refusal)
	}
	for name, request := range g.strangers() {
		if answer, err := g.say(request); err != nil || answer != refusal {
			t.Errorf("%s: %q, %v, want %q", name, answer, err, refusal)
		}
	}
	if log := g.wrote(); strings.Contains(log, "eyJ") || !strings.Contains(log, `"by":"intruder@acme.iam.gserviceaccount.com"`) || !strings.Contains(log, `"command":"stop","object":"","by":"oncall@acme.iam.gserviceaccount.com","reason":`) {
		t.Errorf("log %s", log)
	}
}

// strangers are requests that nobody may learn anything by.
func (g guarded) strangers() map[string]string {
	g.Helper()
	right := g.token("oncall", calledBy)
	content := right[:strings.LastIndex(right, ".")]
	stop := `{"command":"stop","why":"x"}`
	status := `{"command":"status","secret":"projects/acme/secrets/s"}`
	all := map[string]string{
		"no token":         raw("AlertHTTP", "", listing, len(listing)),
		"garbage":          raw("AlertHTTP", "a.b.c", listing, len(listing)),
		"another audience": raw("AlertHTTP", g.token("oncall", "https://evil.example"), listing, len(listing)),
		"not named":        raw("AlertHTTP", g.token("intruder", calledBy), listing, len(listing)),
		"signed by nobody": raw("AlertHTTP", content+"."+strings.Repeat("A", 342), listing, len(listing)),
		"no signature":     raw("AlertHTTP", content+"."+identity.RemovedSignature, listing, len(listing)),
		"another action":   raw("AlertHTTP", right, stop, len(stop)),
		"not that command": raw("AlertHTTP", right, `{"command":"stop"}`, 18),
		"another function": raw("RotateHTTP", right, status, len(status)),
		"and another":      raw("AuditHTTP", right, `{"command":"scan"}`, 18),
		"half a body":      raw("AlertHTTP", "", `{"comm`, 100),
		"a large body":     raw("AlertHTTP", "", `{"comm`, 1<<30),
	}
	return all
}

// TestTenThousandStrangers at once get the same answer, and cost nothing that stays.
func TestTenThousandStrangers(t *testing.T) {
	if raced.Detector {
		t.Skip("the race detector takes ten times the memory")
	}
	g := guard(t, "KEYTURN_CALLERS=oncall@acme.iam.gserviceaccount.com: list")
	known := raw("AlertHTTP", g.token("oncall", calledBy), listing, len(listing))
	_, err := g.say(known) // and Google's keys have been fetched
	must(t, err)
	refusal, err := g.say(raw("AlertHTTP", "", "", 0))
	must(t, err)
	first := g.crowd(t, 10_000, refusal)
	again := g.crowd(t, 2_000, refusal)
	t.Logf("most memory of the functions: %d MiB after 10,000 strangers, %d MiB after 2,000 more", first>>20, again>>20)
	if first > 400<<20 || again > first+first/4 {
		t.Errorf("the functions took %d MiB, and then %d MiB", first>>20, again>>20)
	}
	if answer, err := g.say(known); err != nil || !strings.HasPrefix(answer, "HTTP/1.1 200 OK") {
		t.Errorf("who is known, after all of them: %s, %v", answer, err)
	}
	if lines := strings.Count(g.wrote(), "a caller was refused"); lines > 200 {
		t.Errorf("%d lines of log", lines)
	}
}

// crowd sends n requests at once, as far as this machine can, and returns the most
// memory that the functions have had so far.
func (g guarded) crowd(t *testing.T, n int, refusal string) int {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	requests := g.strangers()
	atOnce := make(chan struct{}, min(n, max(int(limit.Cur)-1000, 100)))
	var all sync.WaitGroup
	var mu sync.Mutex
	odd := map[string]int{}
	for i := 0; i < n; {
		for _, request := range requests {
			i++
			atOnce <- struct{}{}
			all.Go(func() {
				defer func() { <-atOnce }()
				if answer, err := g.say(request); err != nil || answer != refusal {
					mu.Lock()
					defer mu.Unlock()
					odd[fmt.Sprintf("%q, %v", answer, err)]++
				}
			})
		}
	}
	all.Wait()
	if len(odd) > 0 {
		t.Errorf("answers %v", odd)
	}
	return g.memory()
}

// memory is the most that the functions have had in memory, in bytes; 0 where the
// system does not tell.
func (g guarded) memory() int {
	g.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.pid))
	must(g.T, err)
	most := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindStringSubmatch(string(status))
	kilobytes, err := strconv.Atoi(most[1])
	must(g.T, err)
	return kilobytes << 10
}
