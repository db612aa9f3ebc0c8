package audit

import (
	"context"
	"fmt"
	"iter"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// Secrets lists secrets by a filter, without their payloads.
type Secrets interface {
	Secrets(ctx context.Context, filter string) iter.Seq2[gcp.Secret, error]
}

// Rotators are the accounts that the rotate function of a project runs as when it
// is deployed by cloudbuild.yaml.
func Rotators(project string) []string {
	return []string{"keyturn-rotate@" + project + ".iam.gserviceaccount.com"}
}

// ReadLedger reads from the journals of all managed secrets which key belongs to
// which credential, and in which state it is. A credential whose annotations cannot
// be read is left out, and skipped is told why.
func ReadLedger(ctx context.Context, from Secrets, now time.Time, rotators []string, skipped func(error)) (detect.Ledger, error) {
	l := detect.Ledger{At: now.UTC(), Keys: []detect.LedgerKey{}, Secrets: []detect.LedgerSecret{}, Rotators: rotators, Retired: []detect.RetiredKey{}}
	for s, err := range from.Secrets(ctx, "labels."+rotation.Label+"="+rotation.Managed) {
		if err != nil {
			return detect.Ledger{}, fmt.Errorf("reading which keys are whose: %w", err)
		}
		c, err := rotation.ParseCredential(s.Name, s.Labels, s.Annotations)
		if err != nil {
			skipped(err)
			continue
		}
		enter(&l, c, s.Annotations[rotation.AnnotationTarget])
	}
	return l, nil
}

// enter writes one credential into the ledger.
func enter(l *detect.Ledger, c rotation.Credential, target string) {
	l.Secrets = append(l.Secrets, detect.LedgerSecret{Name: c.Secret, Target: target, Labels: c.Labels, Rotation: c.Journal.Rotation})
	for _, k := range c.Journal.Keys() {
		if k.ID != "" {
			l.Keys = append(l.Keys, detect.LedgerKey{
				ID: k.ID, Secret: c.Secret, Kind: string(c.Kind), State: string(k.Phase), Since: k.Since, Given: k.Given, Until: until(k, c.Policy), Versions: k.Versions(),
			})
		}
	}
	for _, k := range c.Journal.Retired {
		l.Retired = append(l.Retired, detect.RetiredKey{ID: k.ID, Secret: c.Secret, Given: k.Given, Disabled: k.Disabled, Deleted: k.Deleted, Versions: k.Versions})
	}
}

// until is when a key leaves its phase, should nobody use it; zero if only a rotation
// ends that.
func until(k rotation.Key, p rotation.Policy) time.Time {
	if k.Phase != rotation.Overlapping && k.Phase != rotation.Quarantined {
		return time.Time{}
	}
	return k.Due(p)
}

// unhurried is how long apart the journals are read.
const unhurried = time.Minute

// learn reads the journals and has the detectors know them. A failure keeps nobody
// from looking for abuse: the log says it, and the next time it is tried again.
func (f *Function) learn(ctx context.Context) error {
	if f.config.Secrets == nil {
		return nil
	}
	l, err := f.readLedger(ctx)
	if err != nil {
		return nil
	}
	return f.memory().know(l, f.teller(ctx))
}

// readLedger is ReadLedger, and has the log say what went wrong.
func (f *Function) readLedger(ctx context.Context) (detect.Ledger, error) {
	l, err := ReadLedger(ctx, f.config.Secrets, f.now(), f.config.Rotators, func(err error) {
		f.log.ErrorContext(ctx, "a credential is not watched", "error", err.Error())
	})
	if err != nil {
		f.log.ErrorContext(ctx, "going by an older state of the keys", "error", err.Error())
	}
	return l, err
}

// latest reads the journals for a command, and leaves what the function goes by as
// it is. When they cannot be read, it is just that, and warning says so.
func (f *Function) latest(ctx context.Context) (ledger *detect.Ledger, warning string) {
	known := f.memory().known()
	if f.config.Secrets == nil {
		return known, ""
	}
	l, err := f.readLedger(ctx)
	switch {
	case err == nil:
		return l.Follow(known), ""
	case known == nil:
		return nil, "which key is whose could not be read: what needs it was not looked for; the function's log says why"
	}
	return known, fmt.Sprintf("which key is whose could not be read, and is as it was %v ago: keys that may be newer are not judged; the function's log says why", f.now().Sub(known.At).Round(time.Second))
}

// learnIfWanted reads the journals when something is held back until they are
// newer, or when they were never read.
func (f *Function) learnIfWanted(ctx context.Context) error {
	if !f.memory().wants(f.now) {
		return nil
	}
	return f.learn(ctx)
}
