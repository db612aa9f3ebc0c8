package rotate

import (
	"errors"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/functions/door"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

// meanwhile has something happen once, just before a call of keyturn's.
func (e *env) meanwhile(method string, happens func()) (happened *atomic.Bool) {
	happened = new(atomic.Bool)
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if strings.HasSuffix(m, method) && happened.CompareAndSwap(false, true) {
			happens()
		}
		return fault.Fault{}
	})
	return happened
}

// Whoever edits the secret while keyturn is at work keeps what he wrote.
func TestEditInTheMiddleOfATurnIsKept(t *testing.T) {
	for _, method := range []string{"/AccessSecretVersion", "/UpdateSecret", "/AddSecretVersion", "/UploadServiceAccountKey", "/token", "/DisableServiceAccountKey", "/DestroySecretVersion"} {
		t.Run(path.Base(method), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, account := e.account("edited", rotation.Upload)
			happened := e.meanwhile(method, func() {
				e.edit(secret, "annotations", func(s *secretmanagerpb.Secret) { s.Annotations["owner"] = "team-a" })
				e.edit(secret, "labels", func(s *secretmanagerpb.Secret) { s.Labels["cost"] = "42" })
				e.edit(secret, "version_aliases", func(s *secretmanagerpb.Secret) { s.VersionAliases["mine"] = 1 })
			})
			free := func() { // else the old key would be kept for it
				if happened.Load() {
					e.edit(secret, "version_aliases", func(s *secretmanagerpb.Secret) {
						if s.VersionAliases["mine"] != 1 {
							t.Error("the owner's alias is gone")
						}
						s.VersionAliases["mine"] = 2
					})
				}
			}
			e.replace(secret)
			free()
			e.clock.Advance(6 * time.Hour)
			wantSteps(t, e.proceed(secret), "disable")
			if method == "/DisableServiceAccountKey" {
				free()
			}
			e.clock.Advance(day)
			wantSteps(t, e.proceed(secret), "delete")
			e.clock.Advance(lag)
			s, err := e.cloud.Secret(e.ctx, secret)
			must(t, err)
			if !happened.Load() || s.Annotations["owner"] != "team-a" || s.Labels["cost"] != "42" || s.Labels[rotation.Label] != rotation.Managed {
				t.Errorf("happened %v; labels %v, annotations %v", happened.Load(), s.Labels, s.Annotations)
			}
			if n := len(e.accountKeys(account)); n != 1 || e.standing(secret).Rotation != 1 {
				t.Errorf("%d keys after rotation %d", n, e.standing(secret).Rotation)
			}
		})
	}
}

// Whoever writes the journal is at work on the credential: the turn that did not
// must stop, and what it did must be found out by the next.
func TestJournalWrittenInTheMiddleOfATurnStopsIt(t *testing.T) {
	for _, kind := range []string{"upload", "create", "api-key"} {
		for _, method := range []string{"/AddSecretVersion", "/UploadServiceAccountKey", "/CreateServiceAccountKey", "/CreateKey", "/UpdateSecret"} {
			t.Run(kind+method, func(t *testing.T) {
				t.Parallel()
				e := newEnv(t)
				secret, target := e.credential(kind)
				happened := e.meanwhile(method, func() {
					s, err := e.cloud.Secret(e.ctx, secret)
					must(t, err)
					j, err := rotation.ParseJournal(s.Annotations[rotation.AnnotationJourn])
					must(t, err)
					j.Lease = &rotation.Lease{Holder: "somebody else", Until: time.Now().Add(time.Minute).UTC().Truncate(time.Second)}
					text, err := j.Encode()
					must(t, err)
					e.annotate(secret, rotation.AnnotationJourn, text)
				})
				var stopped error
				for range 8 {
					_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret, After: new(int)})
					if errors.Is(err, ErrBusy) && stopped == nil {
						stopped = err
						e.endLease(secret)
					}
					e.clock.Advance(6 * time.Minute)
				}
				if (stopped != nil) != happened.Load() {
					t.Fatalf("somebody else at work: %v, and the turn was stopped: %v", happened.Load(), stopped)
				}
				s := e.standing(secret)
				if s.Rotation != 1 || s.Incoming != nil || s.Current.Version != "2" {
					t.Errorf("after the rotation: %+v, incoming %+v, current %+v, failure %+v", s, s.Incoming, s.Current, s.Failure)
				}
				if kind != "api-key" && len(e.accountKeys(target)) != 2 {
					t.Errorf("keys %v", e.accountKeys(target))
				}
				if kind != "api-key" {
					e.noneStaged(secret)
				}
				e.works(secret, "latest")
			})
		}
	}
}

func TestSecretThatIsWrittenAllTheTime(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("restless", rotation.Upload)
	var theirs atomic.Bool
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if strings.HasSuffix(m, "/UpdateSecret") && theirs.CompareAndSwap(false, true) {
			e.annotate(secret, "counter", time.Now().String())
			theirs.Store(false)
		}
		return fault.Fault{}
	})
	c := event.Command{Verb: event.Rotate, Secret: secret, After: new(int)}
	_, err := e.f.Do(e.ctx, c)
	says(t, err, "others write the secret all the time")
	if err := e.byTopic(c); !errors.Is(err, door.ErrRedeliver) {
		t.Errorf("error %v, want the message again", err)
	}
	e.gcp.Faults.Set(nil)
	if s := e.standing(secret); s.Rotation != 0 {
		t.Errorf("a rotation began that could not be written down: %+v", s)
	}
	must(t, e.byTopic(c))
	if s := e.standing(secret); s.Rotation != 1 {
		t.Errorf("the message did nothing when it came again: %+v", s)
	}
}
