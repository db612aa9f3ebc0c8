package main

import (
	"context"
	"testing"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// TestPolicyOf must not give a registered secret the default policy, whatever
// somebody did to its label.
func TestPolicyOf(t *testing.T) {
	g, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "acme"})
	fatal(t, err)
	t.Cleanup(func() { fatal(t, g.Close()) })
	cloud, err := gcp.New(gcp.Config{Project: "acme", Endpoint: g.Addr()})
	fatal(t, err)
	t.Cleanup(func() { fatal(t, cloud.Close()) })
	f := rotate.New(rotate.Config{Cloud: cloud})

	own := rotation.DefaultPolicy
	own.Period = rotation.Duration(1000 * time.Hour)
	text, err := own.Encode()
	fatal(t, err)
	keyPolicy := rotation.DefaultPolicy
	keyPolicy.KeyMode = ""
	for id, tt := range map[string]struct {
		annotations map[string]string
		kind        rotation.Kind
		want        rotation.Policy
		fails       bool
	}{
		"plain":         {nil, rotation.ServiceAccountKey, rotation.DefaultPolicy, false},
		"plain-api":     {nil, rotation.APIKey, keyPolicy, false},
		"without-label": {map[string]string{rotation.AnnotationPolicy: text}, rotation.ServiceAccountKey, own, false},
		"broken":        {map[string]string{rotation.AnnotationPolicy: "{}"}, rotation.ServiceAccountKey, rotation.Policy{}, true},
	} {
		name := "projects/acme/secrets/" + id
		fatal(t, cloud.EnsureSecret(t.Context(), name, nil))
		if tt.annotations != nil {
			secret, err := cloud.Secret(t.Context(), name)
			fatal(t, err)
			_, err = cloud.UpdateSecret(t.Context(), gcp.Change{Name: name, Etag: secret.Etag, Annotations: tt.annotations})
			fatal(t, err)
		}
		got, err := policyOf(t.Context(), f, rotate.Adoption{Secret: name, Kind: tt.kind})
		if (err != nil) != tt.fails || !tt.fails && got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", id, got, err, tt.want)
		}
	}
	none := rotate.Adoption{Secret: "projects/acme/secrets/none", Kind: rotation.ServiceAccountKey}
	if got, err := policyOf(t.Context(), f, none); err != nil || got != rotation.DefaultPolicy {
		t.Errorf("of a secret that does not exist: %+v, %v", got, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := policyOf(gone, f, none); err == nil {
		t.Errorf("nobody answered, and the policy is %+v", got)
	}
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
