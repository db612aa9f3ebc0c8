package demo

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/cmd/keyturn/internal/keyfile"
	"example.com/keyturn/internal/localgcp/gemini/catalog"
	"google.golang.org/api/iterator"
)

const (
	probes    = 40 // methods that the stolen key tries and may not use
	victims   = 10 // accounts that the attacker tries to become
	attacker  = "203.0.113.66"
	userAgent = "python-requests/2.32.3"
)

// attack replays what a thief does first with a stolen key: look what it may
// do, then try to become somebody who may do more.
func (s *stage) attack(ctx context.Context) error {
	s.progress.Stage("attack", probes+victims)
	if err := s.steal(ctx); err != nil {
		return err
	}
	token, err := keyfile.Mint(ctx, s.http, s.seen.stolenFile)
	if err != nil {
		return fmt.Errorf("the stolen key does not work: %w", err)
	}
	s.canaries.add(token)
	if err := s.probe(ctx, token); err != nil {
		return err
	}
	if err := s.impersonate(ctx, token); err != nil {
		return err
	}
	return s.until(ctx, "two alerts about the attack", func() bool { return s.seen.alerted() >= 2 && s.Cloud.Idle() })
}

// steal takes the first credential's key file, as from a leaked backup.
func (s *stage) steal(ctx context.Context) (err error) {
	s.seen.stolenFile, s.seen.stolenKey, err = s.currentKey(ctx, s.credentials[0].secret)
	return err
}

// probe calls methods that the account may not use.
func (s *stage) probe(ctx context.Context, token string) error {
	denied := 0
	for _, m := range catalog.Methods() {
		if denied == probes {
			break
		}
		path := "/v1beta/" + strings.ReplaceAll(m.Path, "*", "gemini-2.5-flash")
		code, err := s.asAttacker(ctx, token, m.HTTP, path, "{}")
		if err != nil {
			return err
		}
		if code == http.StatusForbidden {
			denied++
			s.progress.Advance(denied)
		}
	}
	if denied < probes {
		return fmt.Errorf("only %d of %d probes were denied", denied, probes)
	}
	return nil
}

// impersonate asks for tokens of accounts that never trusted the stolen one.
func (s *stage) impersonate(ctx context.Context, token string) error {
	for i := range victims {
		a, err := s.iam.CreateServiceAccount(ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/" + s.Project, AccountId: fmt.Sprintf("victim-%d", i+1)})
		if err != nil {
			return err
		}
		path := "/v1/projects/-/serviceAccounts/" + a.GetEmail() + ":generateAccessToken"
		code, err := s.asAttacker(ctx, token, http.MethodPost, path, `{"scope":["https://www.googleapis.com/auth/cloud-platform"]}`)
		if err != nil {
			return err
		}
		if code != http.StatusForbidden {
			return fmt.Errorf("becoming %s was answered HTTP %d, want 403", a.GetEmail(), code)
		}
		s.progress.Advance(probes + i + 1)
	}
	return nil
}

func (s *stage) asAttacker(ctx context.Context, token, method, path, body string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("X-Forwarded-For", attacker)
	code, _, err := s.do(req)
	return code, err
}

func (s *stage) listAPIKeys(ctx context.Context) ([]string, error) {
	var names []string
	it := s.keys.ListKeys(ctx, &apikeyspb.ListKeysRequest{Parent: "projects/" + s.Project + "/locations/global"})
	for {
		k, err := it.Next()
		if err == iterator.Done {
			return names, nil
		}
		if err != nil {
			return names, err
		}
		names = append(names, k.GetName())
	}
}
