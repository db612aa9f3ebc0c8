package detect

import "time"

// RuleSet is a set of custom rules, compiled. The Engine counts what they match:
// a rule is only asked about one entry at a time and remembers nothing.
type RuleSet interface {
	// Match appends a hit for each rule whose condition holds for e. It neither
	// keeps nor changes e, and appends nothing without allocating nothing.
	Match(e *Entry, into []Hit) []Hit
}

// Rule is what the Engine needs to know of one custom rule.
type Rule struct {
	Name      string        // unique; the finding's detector
	Rationale string        // why what it matches is not normal: ends up in the finding's reason
	Technique string        // of MITRE ATT&CK, such as T1078.004; "" is none
	Runbook   string        // what to do about it; "" is the general advice
	Severity  Severity      // of its findings
	Window    time.Duration // within which hits are counted; 0 is one hour
	Threshold int           // hits within Window that make a finding; 0 is 1
}

// Hit is one entry that a rule matched.
type Hit struct {
	Rule  *Rule
	Group string // whose hits are counted together; "" is the entry's subject
	Item  string // hits of the same item count once; "" counts every entry. May lie in the entry's buffer
}
