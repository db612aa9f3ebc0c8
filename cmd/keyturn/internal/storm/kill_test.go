package storm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/notify"
	"example.com/keyturn/shared/state"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// childState, in the environment, makes this program an instance of the alert
// function that keeps incidents in that directory.
const childState, childHook = "KEYTURN_STORM_STATE", "KEYTURN_STORM_HOOK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childState); dir != "" {
		fmt.Fprintln(os.Stderr, serve(dir, os.Getenv(childHook)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// serve handles each body as a CloudEvent, and prints its address first.
func serve(dir, hook string) error {
	f := alert.New(alert.Config{
		Publisher: newOutside(), Channels: []alert.Channel{post(hook)}, Store: &state.Directory{Path: dir},
		Retry: alerting.Retry{First: 50 * time.Millisecond, Most: 100 * time.Millisecond},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		ce := cloudevents.New()
		if err = errors.Join(err, json.Unmarshal(body, &ce)); err == nil {
			err = f.HandleEvent(r.Context(), ce)
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
}

// post posts the ids of alerts.
type post string

func (p post) Name() string { return "hook" }

func (p post) Deliver(ctx context.Context, a alerting.Alert) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(p), bytes.NewBufferString(a.ID))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return &notify.Failure{Err: err}
	}
	return resp.Body.Close()
}

// killing is an instance that is killed now and then, and started again.
type killing struct {
	*testing.T
	dir, hook string

	mu   sync.Mutex
	cmd  *exec.Cmd
	addr string
}

func (k *killing) start() {
	k.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childState+"="+k.dir, childHook+"="+k.hook)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		k.Fatal(err)
	}
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		k.Fatal(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cmd, k.addr = cmd, addr
}

func (k *killing) kill() {
	k.mu.Lock()
	cmd := k.cmd
	k.mu.Unlock()
	_ = cmd.Process.Kill() // it has no chance to refuse
	_ = cmd.Wait()
}

// send has an event handled, by as many instances as it takes.
func (k *killing) send(ce cloudevents.Event) {
	body, err := json.Marshal(ce)
	if err != nil {
		k.Error(err)
		return
	}
	for k.Context().Err() == nil {
		k.mu.Lock()
		addr := k.addr
		k.mu.Unlock()
		resp, err := http.Post("http://"+addr, "application/json", bytes.NewReader(body))
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(time.Millisecond) // the next instance is on its way
	}
}

// Whenever an instance dies, no finding and no alert is lost. One that was being
// delivered may come again, with the same id.
func TestKill9LosesNothing(t *testing.T) {
	const findings, incidents, kills = 3000, 10, 20
	hook := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if id, err := io.ReadAll(r.Body); err == nil {
			hook.take(string(id), false)
		}
	}))
	defer server.Close()
	k := &killing{T: t, dir: t.TempDir(), hook: server.URL}
	k.start()
	defer func() { k.kill() }()

	s := &storm{config: Config{Findings: findings, Incidents: incidents}, store: &state.Directory{Path: k.dir}}
	next, sent := make(chan int), make(chan struct{})
	var senders sync.WaitGroup
	for range 16 {
		senders.Go(func() {
			for i := range next {
				k.send(wrap(s.finding(i)))
				sent <- struct{}{}
			}
		})
	}
	go func() {
		for i := range findings {
			next <- i
		}
		close(next)
		senders.Wait()
		close(sent)
	}()
	done := 0
	for range sent {
		if done++; done%(findings/(kills+1)) == 0 && done < findings {
			time.Sleep(time.Duration(rand.Int64N(int64(5 * time.Millisecond)))) // strike anywhere
			k.kill()
			k.start()
		}
	}
	tend := wrap(event.Outgoing{Attributes: map[string]string{"command": "tend"}})
	deadline := time.Now().Add(3 * time.Minute) // leases of the dead last a minute
	for {
		k.send(tend)
		counted, alerts, owed := s.tally(t)
		if owed == 0 || time.Now().After(deadline) {
			if counted != findings || owed > 0 || len(hook.got) != alerts {
				t.Errorf("%d of %d findings are counted; %d of %d alerts came, %d are owed", counted, findings, len(hook.got), alerts, owed)
			}
			twice := 0
			for _, times := range hook.got {
				twice += min(1, times-1)
			}
			t.Logf("%d kills: %d findings, %d alerts, %d of them twice", kills, counted, alerts, twice)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *storm) tally(t *testing.T) (counted, alerts, owed int) {
	err := each(t.Context(), s.store, func(in *alerting.Incident) {
		counted, alerts, owed = counted+in.Findings, alerts+in.Alerts, owed+len(in.Outbox)
	})
	if err != nil {
		t.Fatal(err)
	}
	return counted, alerts, owed
}
