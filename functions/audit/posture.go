package audit

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/notify"
	"example.com/keyturn/shared/posture"
	"example.com/keyturn/shared/survey"
)

var errNoPosture = errors.New("posture reads the project's credentials, which is not configured for this function: run 'keyturn posture'")

// postureState is the document of what failed in the last report.
const postureState = "posture"

// maxState keeps a document that is no state from filling the memory.
const maxState = 64 << 20 // bytes

// Posture judges how the project's credentials are kept, compared with the last
// scheduled report. It publishes and keeps nothing.
func (f *Function) Posture(ctx context.Context) (posture.Report, error) {
	report, _, err := f.judge(ctx)
	return report, err
}

// tellPosture publishes what newly fails, and keeps what is needed to tell nothing
// twice. What could not be read is in the log.
func (f *Function) tellPosture(ctx context.Context) error {
	report, next, err := f.judge(ctx)
	if errors.Is(err, errNoPosture) {
		f.log.InfoContext(ctx, "posture skipped: reading credentials is not configured")
		return nil
	}
	if err != nil {
		return err
	}
	f.logUnknown(ctx, report)
	if err := f.memory().bringUp(f.teller(ctx), func() []detect.Finding { return report.Findings(notify.Printable) }); err != nil {
		return err
	}
	return f.keepPosture(ctx, next)
}

// judge reads and judges.
func (f *Function) judge(ctx context.Context) (posture.Report, posture.State, error) {
	if f.config.Cloud == nil {
		return posture.Report{}, posture.State{}, errNoPosture
	}
	last, err := f.lastPosture(ctx)
	if err != nil {
		return posture.Report{}, last, err
	}
	credentials, err := survey.Project(ctx, f.config.Cloud, f.config.Project, f.now)
	if err != nil {
		return posture.Report{}, last, fmt.Errorf("reading the credentials of %s: %w", f.config.Project, err)
	}
	snapshot, err := f.config.Cloud.Posture(ctx, credentials, f.now)
	if err != nil {
		return posture.Report{}, last, fmt.Errorf("reading the posture of %s: %w", f.config.Project, err)
	}
	report, next := posture.Evaluate(snapshot, posture.Config{}, last)
	return report, next, nil
}

// logUnknown says which checks came to nothing, and what reading it all takes.
func (f *Function) logUnknown(ctx context.Context, r posture.Report) {
	var checks, permissions []string
	for _, result := range r.Results {
		if result.Status == posture.Unknown {
			checks = append(checks, result.Check)
		}
		if result.Permission != "" {
			permissions = append(permissions, result.Permission)
		}
	}
	if len(checks) > 0 {
		slices.Sort(permissions)
		f.log.WarnContext(ctx, "posture: not everything could be read", "checks", slices.Compact(checks), "permissions", slices.Compact(permissions))
	}
}

// lastPosture is what the last report left; what cannot be read back is nothing.
func (f *Function) lastPosture(ctx context.Context) (posture.State, error) {
	if f.config.Store == nil {
		f.posturing.Lock()
		defer f.posturing.Unlock()
		return f.postured, nil
	}
	var last posture.State
	err := f.config.Store.Update(ctx, postureState, func(old []byte) ([]byte, time.Time, error) {
		var err error
		if last, err = unpack(old); err != nil {
			f.log.ErrorContext(ctx, "posture begins anew: what the last report left cannot be read", "error", err.Error())
		}
		return old, time.Time{}, nil
	})
	if err != nil {
		return last, fmt.Errorf("reading what the last posture left: %w", err)
	}
	return last, nil
}

func (f *Function) keepPosture(ctx context.Context, s posture.State) error {
	if f.config.Store == nil {
		f.posturing.Lock()
		defer f.posturing.Unlock()
		f.postured = s
		return nil
	}
	packed, err := pack(s)
	if err == nil {
		err = f.config.Store.Update(ctx, postureState, func([]byte) ([]byte, time.Time, error) { return packed, time.Time{}, nil })
	}
	if err != nil {
		return fmt.Errorf("keeping what fails: %w", err)
	}
	return nil
}

// pack compresses a state: thousands of failures of one project, which have much in
// common, are to fit a document.
func pack(s posture.State) ([]byte, error) {
	data, err := s.Encode()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err = w.Close() // which writes the rest
	return b.Bytes(), err
}

// unpack reads what pack wrote; nothing is the zero state.
func unpack(packed []byte) (posture.State, error) {
	if len(packed) == 0 {
		return posture.State{}, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return posture.State{}, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxState))
	if err != nil {
		return posture.State{}, err
	}
	return posture.ParseState(data)
}
