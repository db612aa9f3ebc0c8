package iam_test

import (
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"

	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/internal/localgcp/iam/jwt"
)

// uses are how often the keys' metric has counted since it was last asked.
func (w *world) uses(k *adminpb.ServiceAccountKey) int64 {
	n, _ := w.metrics.of(keyID(k))
	w.metrics.reset()
	return n
}

func (w *world) disable(k *adminpb.ServiceAccountKey) {
	w.t.Helper()
	must(w.t, w.admin.DisableServiceAccountKey(w.ctx, &adminpb.DisableServiceAccountKeyRequest{Name: k.GetName()}))
}

// Whoever still holds a key that does not authenticate any more is seen.
func TestRefusedTokensCountAsUseOfTheKey(t *testing.T) {
	w := newWorld(t, iam.Config{KeyLag: time.Minute, DisableLag: time.Minute})
	a := w.account("rot")
	k, other := w.key(a), w.key(a)
	mint := func(want int64, when string) {
		t.Helper()
		_, err := w.token(k.GetPrivateKeyData())
		if n := w.uses(k); n != want {
			t.Errorf("%s: counted %d, want %d (%v)", when, n, want, err)
		}
	}
	mint(0, "before it is known")
	w.clock.Advance(time.Minute)
	mint(1, "good")
	w.disable(k)
	mint(1, "disabled but not heard of")
	w.clock.Advance(time.Minute)
	mint(1, "disabled")
	must(t, w.admin.DisableServiceAccount(w.ctx, &adminpb.DisableServiceAccountRequest{Name: a.GetName()}))
	mint(1, "of a disabled account")
	must(t, w.admin.EnableServiceAccount(w.ctx, &adminpb.EnableServiceAccountRequest{Name: a.GetName()}))
	must(t, w.admin.DeleteServiceAccountKey(w.ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: k.GetName()}))
	w.clock.Advance(time.Hour)
	mint(1, "deleted")
	if n := w.uses(other); n != 0 {
		t.Errorf("the other key counted %d", n)
	}
	w.clock.Advance(7 * 7 * 24 * time.Hour)
	must(t, w.admin.DeleteServiceAccountKey(w.ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: other.GetName()}))
	mint(0, "deleted long ago")
}

func TestExpiredKeyCounts(t *testing.T) {
	w := newWorld(t, iam.Config{OrgPolicy: iam.OrgPolicy{MaxKeyLifetime: time.Hour}})
	k := w.key(w.account("rot"))
	w.clock.Advance(2 * time.Hour)
	_, err := w.token(k.GetPrivateKeyData())
	wantRefusal(t, err, "invalid_grant", "Invalid JWT Signature.")
	if n := w.uses(k); n != 1 {
		t.Errorf("counted %d", n)
	}
}

func TestRefusedCallsCountAsUseOfTheKey(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	private, cert := certificate(t, 1024, start, start.Add(time.Hour))
	k, err := w.admin.UploadServiceAccountKey(w.ctx, &adminpb.UploadServiceAccountKeyRequest{Name: a.GetName(), PublicKeyData: cert})
	must(t, err)
	claims := w.claims(a)
	claims.Subject = claims.Issuer
	selfSigned, err := jwt.Sign(claims, keyID(k), private)
	must(t, err)
	for name, want := range map[string]int64{selfSigned: 1, selfSigned + "x": 0, "a.b.c": 0} {
		_, _ = w.Authenticate(name)
		if n := w.uses(k); n != want {
			t.Errorf("counted %d, want %d", n, want)
		}
	}
	w.disable(k)
	if _, err := w.Authenticate(selfSigned); reason(err) != "ACCESS_TOKEN_TYPE_UNSUPPORTED" {
		t.Errorf("a disabled key signed: %v", err)
	}
	if n := w.uses(k); n != 1 {
		t.Errorf("a disabled key counted %d", n)
	}
	stranger, _ := certificate(t, 1024, start, start)
	if code, _ := w.buy(t, w.claims(a), keyID(k), stranger); code != 400 {
		t.Errorf("answered %d", code)
	}
	if n := w.uses(k); n != 0 {
		t.Errorf("somebody who only knows the key's id counted %d", n)
	}
}

func TestRefusalsCanBeLeftOut(t *testing.T) {
	w := newWorld(t, iam.Config{RefusalsUncounted: true})
	k := w.key(w.account("rot"))
	if _, err := w.token(k.GetPrivateKeyData()); err != nil || w.uses(k) != 1 {
		t.Errorf("a good key does not count, %v", err)
	}
	w.disable(k)
	_, err := w.token(k.GetPrivateKeyData())
	wantRefusal(t, err, "invalid_grant", "Invalid JWT Signature.")
	if n := w.uses(k); n != 0 {
		t.Errorf("counted %d", n)
	}
}
