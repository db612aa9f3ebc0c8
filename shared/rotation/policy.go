package rotation

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// KeyMode says who makes a service-account key pair.
type KeyMode string

const (
	// Upload makes the pair here and uploads only the public half: a lost
	// reply loses nothing, and the certificate expires by itself. Where an
	// organisation denies uploads, Create takes over.
	Upload KeyMode = "upload"
	// Create lets Google make the pair.
	Create KeyMode = "create"
)

// Duration is a time.Duration written as Go writes it, such as "720h0m0s".
type Duration time.Duration

// MarshalText writes the duration in Go's form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads Go's form; a bare number is an error.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// EvidenceRule says whether a key must be known to be unused before it is taken away.
type EvidenceRule string

const (
	// EvidenceRequired keeps a key until it is known that nobody uses it.
	EvidenceRequired EvidenceRule = "required"
	// EvidenceIgnored goes by the clock alone.
	EvidenceIgnored EvidenceRule = "ignored"
)

// StragglerRule says what happens to a key that is still in use, or may be, when
// the straggler limit has passed.
type StragglerRule string

const (
	// Hold keeps it for as long as it takes.
	Hold StragglerRule = "hold"
	// Force takes it away all the same.
	Force StragglerRule = "force"
)

// Policy is how a credential is to be rotated. All durations are policy time.
type Policy struct {
	Period         Duration      `json:"period"`                   // from one promotion to the next rotation
	Overlap        Duration      `json:"overlap"`                  // old and new both valid
	Quarantine     Duration      `json:"quarantine"`               // old disabled, can be brought back
	Propagation    Duration      `json:"propagation,omitempty"`    // how long Google may take to know a new key everywhere; zero is 10 minutes
	KeyMode        KeyMode       `json:"keyMode,omitempty"`        // of service-account keys; empty is Upload
	ProbeURL       string        `json:"probeURL,omitempty"`       // also called with a new credential before it is given to consumers; empty is none
	Evidence       EvidenceRule  `json:"evidence,omitempty"`       // empty is EvidenceRequired
	Stragglers     StragglerRule `json:"stragglers,omitempty"`     // empty is Hold
	StragglerLimit Duration      `json:"stragglerLimit,omitempty"` // after the overlap; zero is Period
}

// DefaultPolicy is what adopt registers unless told otherwise.
var DefaultPolicy = Policy{
	Period:      Duration(720 * time.Hour),
	Overlap:     Duration(24 * time.Hour),
	Quarantine:  Duration(168 * time.Hour),
	Propagation: Duration(defaultPropagation),
	KeyMode:     Upload,
}

const (
	defaultPropagation = 10 * time.Minute // Google: "typically 2 minutes, potentially 7 or longer"
	minPeriod          = time.Hour        // Secret Manager's own minimum for rotation_period
	maxPeriod          = 10 * 365 * 24 * time.Hour
	keyMargin          = 7 * 24 * time.Hour // an uploaded key outlives its planned end by this, for rotations that are late
	maxProbeURL        = 1024
)

// ParsePolicy reads the annotation's JSON strictly and validates it.
func ParsePolicy(text string) (Policy, error) {
	var p Policy
	if text == "" {
		return p, fmt.Errorf("annotation %s is missing; register the secret again with 'keyturn adopt'", AnnotationPolicy)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("annotation %s: %w", AnnotationPolicy, err)
	}
	if dec.More() {
		return Policy{}, fmt.Errorf("annotation %s: more than one JSON value", AnnotationPolicy)
	}
	if err := p.Validate(); err != nil {
		return Policy{}, fmt.Errorf("annotation %s: %w", AnnotationPolicy, err)
	}
	return p, nil
}

// Encode writes the policy as ParsePolicy reads it.
func (p Policy) Encode() (string, error) {
	if err := p.Validate(); err != nil {
		return "", err
	}
	b, err := json.Marshal(p)
	return string(b), err
}

// Validate reports every problem of the policy, joined.
func (p Policy) Validate() error {
	return errors.Join(
		check(p.period() >= minPeriod && p.period() <= maxPeriod, "period %v is not between %v and %v", p.period(), minPeriod, maxPeriod),
		inRange("propagation", p.Propagation),
		inRange("overlap", p.Overlap),
		inRange("quarantine", p.Quarantine),
		check(p.overlap() >= p.propagation(), "overlap %v is shorter than propagation %v: consumers would get a key that Google does not know yet", p.overlap(), p.propagation()),
		check(p.period() > p.overlap()+p.quarantine(), "period %v is not longer than overlap %v + quarantine %v: old keys would pile up", p.period(), p.overlap(), p.quarantine()),
		inRange("stragglerLimit", p.StragglerLimit),
		checkProbeURL(p.ProbeURL),
		oneOf("evidence", p.Evidence, "", EvidenceRequired, EvidenceIgnored),
		oneOf("stragglers", p.Stragglers, "", Hold, Force),
		oneOf("keyMode", p.KeyMode, "", Upload, Create),
	)
}

func inRange(name string, d Duration) error {
	return check(d >= 0 && time.Duration(d) <= maxPeriod, "%s %v is not between 0 and %v", name, time.Duration(d), maxPeriod)
}

// oneOf names the choices but the first, which is what stands for the default.
func oneOf[S ~string](name string, got S, choices ...S) error {
	return check(slices.Contains(choices, got), "%s %q is none of %q", name, string(got), choices[1:])
}

func checkProbeURL(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	ok := err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.Fragment == "" && len(raw) <= maxProbeURL
	return check(ok, "probeURL is not an https URL without user and fragment, of at most %d characters", maxProbeURL)
}

func check(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func (p Policy) period() time.Duration     { return time.Duration(p.Period) }
func (p Policy) overlap() time.Duration    { return time.Duration(p.Overlap) }
func (p Policy) quarantine() time.Duration { return time.Duration(p.Quarantine) }

// holdUntil is when a straggler that was superseded at since has had its time.
func (p Policy) holdUntil(since time.Time) time.Time {
	limit := time.Duration(p.StragglerLimit)
	if limit == 0 {
		limit = p.period()
	}
	return since.Add(p.overlap() + limit)
}

func (p Policy) propagation() time.Duration {
	if p.Propagation == 0 {
		return defaultPropagation
	}
	return time.Duration(p.Propagation)
}

// verifyWithin is how long a published key may fail to authenticate before it is given up.
func (p Policy) verifyWithin() time.Duration { return 3 * p.propagation() }

// KeyLifetime is how long an uploaded key is valid: it expires by itself even
// if nobody ever deletes it.
func (p Policy) KeyLifetime() time.Duration {
	return p.period() + p.overlap() + p.quarantine() + keyMargin
}

// Mode is the key mode with its default filled in.
func (p Policy) Mode() KeyMode {
	if p.KeyMode == "" {
		return Upload
	}
	return p.KeyMode
}

// Settled reports whether what was written to Google at since has reached all
// its servers by now, so that a list can be believed.
func (p Policy) Settled(now, since time.Time) bool { return !now.Before(since.Add(p.propagation())) }
