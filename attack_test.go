package keyturn

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
)

// TestEachAttackIsTried: every test that docs/threats.md names is one.
func TestEachAttackIsTried(t *testing.T) {
	text, err := os.ReadFile("docs/threats.md")
	must(t, err)
	_, list, _ := strings.Cut(string(text), "## Attacks that are tried")
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(list, -1)
	if len(named) < 30 {
		t.Fatalf("only %d tests are named", len(named))
	}
	var sources strings.Builder
	must(t, filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		source, err := os.ReadFile(name)
		sources.Write(source)
		return err
	}))
	for _, m := range named {
		if !strings.Contains(sources.String(), "\nfunc "+m[1]+"(t *testing.T) {") {
			t.Errorf("there is no %s", m[1])
		}
	}
	for row := range strings.Lines(list) {
		if strings.HasPrefix(row, "| ") && !strings.Contains(row, "`Test") && !strings.HasPrefix(row, "| attack") && !strings.HasPrefix(row, "| ---") {
			t.Errorf("nothing tries %s", row)
		}
	}
}

// bomb is a gigabyte in a megabyte.
func bomb(t *testing.T) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	block := make([]byte, 1<<20)
	for range 1 << 10 {
		_, err := w.Write(block)
		must(t, err)
	}
	must(t, w.Close())
	return packed.Bytes()
}

// TestCompressedBombs to every function, as the framework serves it: no body is unpacked.
func TestCompressedBombs(t *testing.T) {
	if raced.Detector {
		t.Skip("the race detector takes ten times the memory")
	}
	g := guard(t, "KEYTURN_CALLERS=oncall@acme.iam.gserviceaccount.com: *")
	packed, token := bomb(t), g.token("oncall", calledBy)
	pushed := `{"message":{"messageId":"1","data":"` + base64.StdEncoding.EncodeToString(packed) + `"},"subscription":"projects/acme/subscriptions/s"}`
	for name := range names {
		for _, body := range []string{string(packed), pushed} {
			req, err := http.NewRequest(http.MethodPost, g.url+"/"+name, strings.NewReader(body))
			must(t, err)
			req.Header.Set("Content-Type", "application/json")
			if body != pushed {
				req.Header.Set("Content-Encoding", "gzip")
			}
			if strings.HasSuffix(name, "HTTP") {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			answer, err := (&http.Client{Timeout: time.Minute}).Do(req)
			if err != nil {
				continue // it hung up
			}
			_ = answer.Body.Close()
			if strings.HasSuffix(name, "HTTP") && answer.StatusCode < 400 || body != pushed && answer.StatusCode < 400 {
				t.Errorf("%s answers %d", name, answer.StatusCode)
			}
		}
	}
	if most := g.memory(); most > 256<<20 {
		t.Errorf("the functions took %d MiB", most>>20)
	}
}

// TestSmuggledHeaders have one reader see one request and the next one another.
func TestSmuggledHeaders(t *testing.T) {
	g := guard(t, "KEYTURN_CALLERS=oncall@acme.iam.gserviceaccount.com: list")
	good, bad := g.token("oncall", calledBy), g.token("intruder", calledBy)
	head := "POST /AlertHTTP HTTP/1.1\r\nHost: keyturn\r\nContent-Type: application/json\r\n"
	length := "Content-Length: 18\r\n"
	for name, request := range map[string]string{
		"two tokens":              head + length + "Authorization: Bearer " + bad + "\r\nAuthorization: Bearer " + good + "\r\n\r\n" + listing,
		"two in one":              head + length + "Authorization: Bearer " + bad + ", Bearer " + good + "\r\n\r\n" + listing,
		"one in each header":      head + length + "Authorization: Bearer " + bad + "\r\nX-Serverless-Authorization: Bearer " + good + "\r\n\r\n" + listing,
		"two lengths":             head + length + "Content-Length: 0\r\nAuthorization: Bearer " + good + "\r\n\r\n" + listing,
		"two hosts":               head + length + "Host: other\r\nAuthorization: Bearer " + good + "\r\n\r\n" + listing,
		"two types":               head + length + "Content-Type: text/plain\r\nAuthorization: Bearer " + good + "\r\n\r\n" + listing,
		"a folded header":         head + length + "Authorization: Bearer\r\n " + good + "x\r\n\r\n" + listing,
		"a space before a colon":  head + length + "Authorization : Bearer " + good + "\r\n\r\n" + listing,
		"an unknown encoding too": head + length + "Transfer-Encoding: xchunked\r\nAuthorization: Bearer " + good + "\r\n\r\n" + listing,
		"a command in the query":  strings.Replace(head, "/AlertHTTP", "/AlertHTTP?command=stop&Authorization=Bearer+"+good, 1) + length + "\r\n" + listing,
	} {
		if answer, err := g.say(request); err == nil && strings.HasPrefix(answer, "HTTP/1.1 2") {
			t.Errorf("%s: %s", name, answer)
		}
	}
	if answer, err := g.say(head + length + "Authorization: Bearer " + good + "\r\n\r\n" + listing); err != nil || !strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Errorf("plainly: %s, %v", answer, err)
	}
}
