package oauth

import (
	"context"
	"net/url"
	"testing"
	"time"

	"crypto/rsa"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/iam/directory"
	"example.com/keyturn/internal/localgcp/iam/jwt"
	"example.com/keyturn/internal/localgcp/principal"
)

var wall = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// newServer returns a server whose wall clock stands at wall, with one account
// and its key.
func newServer(t testing.TB) (*Server, directory.Account, directory.Key, *rsa.PrivateKey) {
	t.Helper()
	d := directory.New(directory.Config{Clock: clock.NewFrozen(wall)})
	a, err := d.CreateAccount("local", "rot", "", "")
	if err != nil {
		t.Fatal(err)
	}
	k, private, err := d.CreateKey(a.Name(), adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_1024)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Directory: d, TokenURL: func() string { return "http://127.0.0.1/token" }})
	s.now = func() time.Time { return wall }
	return s, a, k, private
}

func reason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

func TestAccessTokenExpiresAndIsForgotten(t *testing.T) {
	s, a, _, _ := newServer(t)
	token, expires := s.MintAccessToken(a, "", time.Minute)
	if !expires.Equal(wall.Add(time.Minute)) {
		t.Errorf("expires at %v", expires)
	}
	if _, err := s.Authenticate(token); err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return expires }
	if _, err := s.Authenticate(token); reason(err) != "ACCESS_TOKEN_EXPIRED" {
		t.Errorf("expired token: %v", err)
	}
	s.now = func() time.Time { return expires.Add(2 * MaxLifetime) }
	s.MintAccessToken(a, "", time.Minute)
	if len(s.tokens) != 1 {
		t.Errorf("%d tokens are remembered", len(s.tokens))
	}
}

func TestSelfSignedTokens(t *testing.T) {
	s, a, k, private := newServer(t)
	good := jwt.Claims{Issuer: a.Email, Subject: a.Email, Scope: "x", IssuedAt: jwt.Time(wall.Unix()), Expires: jwt.Time(wall.Unix() + 3600)}
	for name, c := range map[string]struct {
		edit func(*jwt.Claims)
		want string
	}{
		"with a scope":    {func(*jwt.Claims) {}, ""},
		"with an aud":     {func(c *jwt.Claims) { c.Scope, c.Audience = "", "https://pubsub.googleapis.com/" }, ""},
		"for nothing":     {func(c *jwt.Claims) { c.Scope = "" }, "ACCESS_TOKEN_TYPE_UNSUPPORTED"},
		"about another":   {func(c *jwt.Claims) { c.Subject = "eve" }, "ACCESS_TOKEN_TYPE_UNSUPPORTED"},
		"from a stranger": {func(c *jwt.Claims) { c.Issuer, c.Subject = "eve", "eve" }, "ACCESS_TOKEN_TYPE_UNSUPPORTED"},
		"expired":         {func(c *jwt.Claims) { c.IssuedAt, c.Expires = c.IssuedAt-7200, c.Expires-7200 }, "ACCESS_TOKEN_EXPIRED"},
		"lives too long":  {func(c *jwt.Claims) { c.Expires += 3600 }, "ACCESS_TOKEN_EXPIRED"},
	} {
		claims := good
		c.edit(&claims)
		token, err := jwt.Sign(claims, k.ID, private)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Authenticate(token)
		if reason(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if want := (principal.Principal{Email: a.Email, KeyName: "//iam.googleapis.com/" + k.Name}); err == nil && p != want {
			t.Errorf("%s: authenticated as %+v", name, p)
		}
	}
}

// stream is a server stream of which only the context matters.
type stream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s stream) Context() context.Context { return s.ctx }

func TestStreamsCarryThePrincipal(t *testing.T) {
	s, a, _, _ := newServer(t)
	token, _ := s.MintAccessToken(a, "", time.Minute)
	open := func(authorization string) (p principal.Principal, err error) {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", authorization))
		err = s.Stream()(nil, stream{ctx: ctx}, nil, func(_ any, opened grpc.ServerStream) error {
			p = principal.FromContext(opened.Context())
			return nil
		})
		return p, err
	}
	if p, err := open("Bearer " + token); err != nil || p.Email != a.Email {
		t.Errorf("opened as %+v, %v", p, err)
	}
	if p, err := open("Bearer local-token"); err != nil || !p.IsOwner() {
		t.Errorf("opened as %+v, %v", p, err)
	}
	if _, err := open("Bearer ya29.x"); reason(err) == "" {
		t.Errorf("opened with a false token: %v", err)
	}
}

// FuzzExchange sends any form to the token endpoint: whatever it is, the answer
// is a refusal or the token of an assertion that was signed.
func FuzzExchange(f *testing.F) {
	s, a, k, private := newServer(f)
	assertion, err := jwt.Sign(jwt.Claims{
		Issuer: a.Email, Scope: "x", Audience: googleTokenURL, IssuedAt: jwt.Time(wall.Unix()), Expires: jwt.Time(wall.Unix() + 60),
	}, k.ID, private)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("grant_type=" + url.QueryEscape(grantType) + "&assertion=" + assertion)
	f.Add("grant_type=" + url.QueryEscape(grantType) + "&assertion=e30.e30.e30")
	f.Add("grant_type=refresh_token&assertion=a.b.c")
	f.Add("%zz")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		got, err := s.exchange(form)
		if err == nil {
			if form.Get("assertion") != assertion || got.AccessToken == "" {
				t.Fatalf("a token for %q", body)
			}
			return
		}
		if r, ok := err.(*refusal); !ok || r.http < 400 || r.Code == "" || r.Description == "" || got != (reply{}) || r.Error() == "" {
			t.Fatalf("answered %+v, %v", got, err)
		}
	})
}
