package detect

import "fmt"

var minting = detector(Detector{
	Name: TokenMinting,
	Rationale: "Whoever looks for an account to become asks one account after another for a token, a signature or an exchange, and is refused. A workload asks for the one or two it was made for. " +
		"Google leaves the caller out of such entries, so they are put together by address and user agent, with the caller that was seen there within ten minutes if there was just one.",
	Technique: "T1078.004",
	Runbook: "1. Read in From where it came from, and look for calls that succeeded from there. 2. For every account in Targets, look whether a token was given out after first_seen. " +
		"3. Revoke the subject's key; where a token was given, treat that account as stolen, too.",
	Severity: High,
	Unit:     "distinct service accounts",
})

const (
	mintingWidth = day
	mintingNeed  = 4 // accounts
)

// minted counts the accounts of which tokens were denied in the day about t.
func minted(g *Engine, s *subject, t int64) (verdict, bool) {
	denials := s.of(deniedToken)
	if len(denials) < mintingNeed {
		return verdict{}, false
	}
	most, from, to := densest(denials, t, mintingWidth, func(d *sighting) int {
		if g.had(s, d, t) {
			return 0
		}
		return 1
	})
	v := verdict{by: minting, score: float64(most) / (mintingNeed * s.factor()), severity: High, count: most, seen: between(denials, from, to), last: to}
	if v.score >= broad {
		v.severity = Critical
	}
	v.start, _ = run(denials, from)
	v.reason = func() string {
		return fmt.Sprintf("%s was denied tokens or signatures of %s within a day; a workload asks for one or two, and from %.3g on it is taken for somebody trying whom to impersonate",
			visible(s.shown(), maxSubject), counted(most, "service account"), mintingNeed*s.factor())
	}
	return v, v.score >= 1
}
