package inventory

import "example.com/keyturn/shared/rotation"

// Summary counts the credentials of a scope.
type Summary struct {
	Projects    int           `json:"projects"`
	Accounts    int           `json:"serviceAccounts"`
	Credentials int           `json:"credentials"`
	States      map[State]int `json:"states"` // those without any are left out
	Kinds       map[Kind]int  `json:"kinds"`  // as States
	Unused      int           `json:"unused"`
	UseUnknown  int           `json:"useUnknown"`
	Gaps        int           `json:"gaps"` // parts that could not be read: there may be more than was counted
}

// Summarise counts.
func Summarise(s Snapshot, items []Item) Summary {
	sum := Summary{Credentials: len(items), States: map[State]int{}, Kinds: map[Kind]int{}, Gaps: len(s.Unread())}
	for _, p := range s.Projects {
		if !p.Outside {
			sum.Projects++
			sum.Accounts += len(p.Accounts)
		}
	}
	for _, i := range items {
		sum.States[i.State]++
		sum.Kinds[i.Kind]++
		switch i.Use.Verdict {
		case rotation.Unused:
			sum.Unused++
		case rotation.Unknown:
			sum.UseUnknown++
		}
	}
	return sum
}
