package rotate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// lostReply begins a rotation whose key Google made without anybody hearing of it.
func lostReply(t *testing.T, mode rotation.KeyMode) (e *env, secret, account string) {
	t.Helper()
	e = newEnv(t)
	secret, account = e.account("lost", mode)
	for _, method := range []string{"/UploadServiceAccountKey", "/CreateServiceAccountKey"} {
		if strings.Contains(strings.ToLower(method), string(mode)) {
			e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
				if strings.HasSuffix(m, method) {
					return fault.Fault{After: status.Error(codes.Internal, "the reply was lost")}
				}
				return fault.Fault{}
			})
		}
	}
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
	says(t, err, "publish", "the reply was lost")
	e.gcp.Faults.Set(nil)
	return e, secret, account
}

// upload makes an uploaded key beside keyturn.
func (e *env) upload(account string) (id string) {
	e.Helper()
	private, err := e.pair()
	must(e.T, err)
	cert, err := certificate(private, "foreign", e.clock.Now(), e.clock.Now().Add(day))
	must(e.T, err)
	id, err = e.cloud.UploadAccountKey(e.ctx, account, cert)
	must(e.T, err)
	return id
}

// A key whose reply was lost is recognised among others by its public half.
func TestUploadedKeyIsFoundAmongForeignOnes(t *testing.T) {
	t.Parallel()
	e, secret, account := lostReply(t, rotation.Upload)
	foreign := []string{e.upload(account), path.Base(e.newKey(account).GetName())}
	e.clock.Advance(lag)
	first := true
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault { // one that is listed, but deleted
		if strings.HasSuffix(m, "/GetServiceAccountKey") && first {
			first = false
			return fault.Fault{Before: status.Error(codes.NotFound, "no such key")}
		}
		return fault.Fault{}
	})
	e.try(secret)
	e.gcp.Faults.Set(nil)
	e.clock.Advance(10 * time.Minute)
	e.try(secret)
	s := e.standing(secret)
	if s.Rotation != 1 || s.Incoming != nil || s.Current.Mode != rotation.Upload {
		t.Fatalf("after the lost reply: %+v, incoming %+v, failure %+v", s, s.Incoming, s.Failure)
	}
	keys := e.accountKeys(account)
	if len(keys) != 4 || !slices.Contains(keys, foreign[0]) || !slices.Contains(keys, foreign[1]) {
		t.Errorf("keys %v, want two of keyturn's and the foreign %v", keys, foreign)
	}
	e.works(secret, "latest")
}

// As long as it cannot be known whether a key was made, no other is.
func TestNoSecondKeyWhileTheFirstMayShowUp(t *testing.T) {
	for name, tt := range map[string]struct {
		mode    rotation.KeyMode
		refused string
	}{
		"upload, no list":        {rotation.Upload, "/ListServiceAccountKeys"},
		"upload, no public half": {rotation.Upload, "/GetServiceAccountKey"},
		"upload, no staged half": {rotation.Upload, "/AccessSecretVersion"},
		"create, no list":        {rotation.Create, "/ListServiceAccountKeys"},
		"create, no staged half": {rotation.Create, "/AccessSecretVersion"},
		"create, no other owner": {rotation.Create, "/ListSecrets"},
		"create, not deleted":    {rotation.Create, "/DeleteServiceAccountKey"},
		"create, no journal":     {rotation.Create, "/UpdateSecret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, secret, account := lostReply(t, tt.mode)
			e.clock.Advance(lag)
			lift := e.refuse(codes.PermissionDenied, tt.refused)
			_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
			says(t, err, "refused on purpose")
			lift()
			if n := len(e.accountKeys(account)); n != 2 {
				t.Errorf("%d keys, want the one in use and the one whose reply was lost", n)
			}
			for range 4 {
				e.clock.Advance(11 * time.Minute)
				e.try(secret)
			}
			s := e.standing(secret)
			if n := len(e.accountKeys(account)); s.Rotation != 1 || s.Incoming != nil || n != 2 {
				t.Errorf("in the end: %+v, incoming %+v, failure %+v, %d keys", s, s.Incoming, s.Failure, n)
			}
			e.works(secret, "latest")
			e.noneStaged(secret)
		})
	}
}

// Of keys that appeared while keyturn was creating one, none is touched that may
// be somebody else's.
func TestCreatedKeyThatMayBeAnothersIsLeftAlone(t *testing.T) {
	t.Parallel()
	t.Run("one of two", func(t *testing.T) {
		t.Parallel()
		e, secret, account := lostReply(t, rotation.Create)
		foreign := path.Base(e.newKey(account).GetName())
		e.clock.Advance(lag)
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		says(t, err, "2 keys of", "none can be told to be its own", foreign)
		if n := len(e.accountKeys(account)); n != 3 {
			t.Errorf("%d keys, want all 3", n)
		}
	})
	t.Run("another credential's", func(t *testing.T) {
		t.Parallel()
		e, secret, account := lostReply(t, rotation.Create)
		e.clock.Advance(lag)
		lost := e.accountKeys(account)
		theirs := slices.DeleteFunc(lost, func(id string) bool { return id == e.standing(secret).Current.ID })[0]
		other, _ := e.account("other", rotation.Create)
		e.annotate(other, rotation.AnnotationJourn, strings.Replace(e.journal(other), e.standing(other).Current.ID, theirs, 1))
		e.try(secret)
		e.clock.Advance(lag)
		if !slices.Contains(e.accountKeys(account), theirs) {
			t.Error("a key that another credential's journal names was deleted")
		}
	})
}

// journal is the text of a secret's journal.
func (e *env) journal(secret string) string {
	e.Helper()
	s, err := e.cloud.Secret(e.ctx, secret)
	must(e.T, err)
	return s.Annotations[rotation.AnnotationJourn]
}

// What somebody else put into the staging secret is never uploaded, and never
// quoted.
func TestStagedPayloadThatIsNotKeyturns(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(curve)
	must(t, err)
	const canary = "CANARY"
	for name, payload := range map[string]string{
		"text":       canary,
		"no PEM":     `{"private_key":"` + canary + `"}`,
		"no key":     `{"private_key":"-----BEGIN PRIVATE KEY-----\nQ0FOQVJZ\n-----END PRIVATE KEY-----\n"}`,
		"no RSA key": `{"private_key":"` + strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "\n", `\n`) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, account := e.account("planted", rotation.Upload)
			e.replace(secret) // makes the staging secret
			e.clock.Advance(72 * time.Hour)
			lift := e.refuse(codes.PermissionDenied, "/AddSecretVersion")
			_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
			says(t, err, "stage", "refused on purpose")
			lift()
			planted := e.add(secret+rotation.StagingSuffix, []byte(payload))
			e.clock.Advance(11 * time.Minute)
			_, err = e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
			says(t, err, "not a key file that keyturn made")
			if strings.Contains(fmt.Sprint(err, e.standing(secret).Failure), canary) {
				t.Error("the payload is quoted")
			}
			must(t, e.cloud.DestroyVersion(e.ctx, secret+rotation.StagingSuffix, planted))
			for range 3 {
				e.clock.Advance(11 * time.Minute)
				e.try(secret)
			}
			if s := e.standing(secret); s.Incoming != nil || s.Failure != nil || s.Rotation != 3 || len(e.accountKeys(account)) != 3 {
				t.Errorf("once it is destroyed: %+v, incoming %+v, failure %+v", s, s.Incoming, s.Failure)
			}
		})
	}
}

// Somebody found the private half after all, and gives it to consumers.
func TestLostKeyThatAVersionHoldsIsLeftAlone(t *testing.T) {
	t.Parallel()
	e, secret, account := lostReply(t, rotation.Create)
	e.clock.Advance(lag)
	inUse := e.standing(secret).Current.ID
	lost := slices.DeleteFunc(e.accountKeys(account), func(id string) bool { return id == inUse })[0]
	e.add(secret, []byte(`{"private_key_id":"`+lost+`"}`))
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
	says(t, err, lost, "version 2", "left alone")
	e.clock.Advance(lag)
	if !slices.Contains(e.accountKeys(account), lost) {
		t.Error("the key was deleted")
	}
}

// An attempt that cannot be noted is not made.
func TestAttemptThatCannotBeNoted(t *testing.T) {
	t.Parallel()
	e, secret, account := lostReply(t, rotation.Create)
	e.clock.Advance(11 * time.Minute)
	var writes atomic.Int64
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if strings.HasSuffix(m, "/CreateServiceAccountKey") {
			t.Error("a key is created of which the journal does not know")
		}
		if strings.HasSuffix(m, "/UpdateSecret") && writes.Add(1) > 1 { // the first is the lease's
			return fault.Fault{Before: status.Error(codes.PermissionDenied, "refused on purpose")}
		}
		return fault.Fault{}
	})
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
	says(t, err, "publish", "refused on purpose")
	e.gcp.Faults.Set(nil)
	if n := len(e.accountKeys(account)); n > 2 {
		t.Errorf("%d keys", n)
	}
}
