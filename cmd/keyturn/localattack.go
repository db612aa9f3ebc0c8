package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/keyfile"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"github.com/spf13/cobra"
	"golang.org/x/oauth2"
)

func (a *app) localAttackCommand(flags *localFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "attack SECRET",
		Short: "Have a thief use the old key of a credential after its rotation",
		Long: `attack shows what becomes of a stolen service-account key. Detectors have to know a
key's consumers for three days, so first a consumer uses it each hour of four days of
the world's clock. Then the key is rotated, the consumer moves to the new one, and a
thief calls with the old one, once an hour until it is revoked, three times at most,
from a network of its own. 'keyturn alerts list' and
the output of 'keyturn local' show what is found; whether anything is done about it
says 'responses' in alerts.yaml.`,
		Example: "  keyturn local attack billing-key",
		Args:    exactArgs("SECRET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.endpoint, a.project = a.localAddr(cmd, flags), a.localProject()
			return a.attack(cmd.Context(), a.secretName(args[0]))
		},
	}
}

// caller is who uses a key: from where, and with what.
type caller struct{ address, agent string }

var (
	owner = caller{"198.51.100.7", "billing/1.0"}
	thief = caller{"203.0.113.66", "python-requests/2.32.3"}
)

const (
	watched = 4 * 24 // hours, in which detectors learn who the owner is
	renewal = 12     // strides within which a rotation promotes the new key
	thefts  = 3      // calls of the thief, at most
)

// raid is an attack on one credential of the embedded cloud.
type raid struct {
	app    *app
	cloud  *gcp.Cloud
	base   string // URL of the embedded cloud
	secret string
}

// attacked is what a thief has used, as --json has it.
type attacked struct {
	Secret string `json:"secret"`
	Stolen string `json:"stolen"` // id of the key
	From   string `json:"from"`   // the address it was used from
}

func (a *app) attack(ctx context.Context, secret string) error {
	if err := checkSecret(secret); err != nil {
		return err
	}
	f, cloud, err := a.rotator()
	if err != nil {
		return err
	}
	defer cloud.Close()
	if _, err := f.Do(ctx, event.Command{Verb: event.Status, Secret: secret}); err != nil {
		return err
	}
	r := raid{a, cloud, "http://" + a.endpoint, secret}
	stolen, id, err := r.current(ctx)
	if err != nil {
		return err
	}
	if err := r.everyday(ctx, stolen); err != nil {
		return err
	}
	if err := r.supersede(ctx, f, id); err != nil {
		return err
	}
	if err := r.steal(ctx, stolen); err != nil {
		return fmt.Errorf("using the stolen key: %w", err)
	}
	if a.json {
		return a.printJSON(attacked{secret, id, thief.address})
	}
	_, err = fmt.Fprintf(a.stdout, "key %s was superseded, and a thief used it from %s: 'keyturn alerts list' shows what is found\n", id, thief.address)
	return err
}

// everyday has the owner use its key for as long as detectors learn.
func (r raid) everyday(ctx context.Context, file []byte) error {
	progress := newProgress(r.app.stderr)
	defer progress.finish()
	progress.Stage("hours of everyday use", watched)
	for hour := range watched {
		if err := r.call(ctx, file, owner); err != nil {
			return fmt.Errorf("using the key as its owner does: %w", err)
		}
		if err := r.wait(ctx, time.Hour); err != nil {
			return err
		}
		progress.Advance(hour + 1)
	}
	return nil
}

// supersede has the key of an id replaced, and the owner use the new one.
func (r raid) supersede(ctx context.Context, f *rotate.Function, id string) error {
	if _, err := f.Do(ctx, event.Command{Verb: event.Rotate, Secret: r.secret}); err != nil {
		return err
	}
	for range renewal {
		if err := r.wait(ctx, stride); err != nil {
			return err
		}
		file, now, err := r.current(ctx)
		if err != nil {
			return err
		}
		if now != id {
			return r.call(ctx, file, owner)
		}
	}
	return fmt.Errorf("%s has no new key after %v: 'keyturn status %s' shows why", r.secret, renewal*stride, r.secret)
}

// steal has a thief call once an hour until the key has stopped working: which key
// is whose is read each hour, and a thief does not stop after one call.
func (r raid) steal(ctx context.Context, file []byte) error {
	for i := range thefts {
		err := r.call(ctx, file, thief)
		if refused := (*oauth2.RetrieveError)(nil); i > 0 && errors.As(err, &refused) {
			return nil // it was revoked
		}
		if err != nil {
			return err
		}
		if err := r.wait(ctx, time.Hour); err != nil {
			return err
		}
	}
	return nil
}

// wait moves the world's clock.
func (r raid) wait(ctx context.Context, d time.Duration) error {
	_, err := moveClock(ctx, r.base, d, func(time.Duration) {})
	return err
}

// current is the key file that consumers are given, and its id.
func (r raid) current(ctx context.Context) (file []byte, id string, err error) {
	if file, err = r.cloud.AccessVersion(ctx, r.secret, "current"); err != nil {
		return nil, "", err
	}
	if id, err = keyfile.ID(file); err != nil {
		return nil, "", errors.New("the secret holds no service-account key, and audit logs name no other: attack one that does")
	}
	return file, id, nil
}

// call makes one call with a key file. Whether the account may is all one: it is logged.
func (r raid) call(ctx context.Context, file []byte, by caller) error {
	token, err := keyfile.Mint(ctx, http.DefaultClient, file)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+"/v1beta/models/gemini-2.5-flash:generateContent", strings.NewReader(`{"contents":[{"parts":[{"text":"ping"}]}]}`))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json", "User-Agent": by.agent, "X-Forwarded-For": by.address} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusForbidden {
		return fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	return nil
}
