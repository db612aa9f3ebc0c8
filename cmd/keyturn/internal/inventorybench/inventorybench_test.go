package inventorybench

import "testing"

func TestTheGoalIsMet(t *testing.T) {
	good := Result{Keys: goalKeys, Found: goalKeys, MaxPerMinute: 3000, HalfQuota: 3000, PeakMB: goalMB - 1}
	if !good.Met() {
		t.Errorf("%+v misses the goal", good)
	}
	for name, spoil := range map[string]func(*Result){
		"a key less":       func(r *Result) { r.Found-- },
		"a call too many":  func(r *Result) { r.MaxPerMinute++ },
		"too much memory":  func(r *Result) { r.PeakMB = goalMB },
		"a key too many":   func(r *Result) { r.Found++ },
		"none of the keys": func(r *Result) { r.Found = 0 },
	} {
		bad := good
		if spoil(&bad); bad.Met() {
			t.Errorf("%s meets the goal", name)
		}
	}
	larger := Result{Keys: goalKeys + 1, Found: goalKeys + 1, HalfQuota: 1, PeakMB: 10 * goalMB}
	if !larger.Met() {
		t.Error("the goal for memory is held against more keys")
	}
}
