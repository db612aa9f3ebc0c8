package detect

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A sweep reads again, an hour or more later, who was at a place and, for the first
// time, the calls without a name from there.
func TestWhoIsForgottenIsNotedAgain(t *testing.T) {
	for _, gap := range []time.Duration{5 * time.Minute, 40 * time.Minute, 66 * time.Minute, 80 * time.Minute} {
		elsewhere := func(from, to time.Duration) []Entry {
			return each(int((to-from)/time.Minute), from, time.Minute, func(_ int, after time.Duration) Entry {
				e := at("other@x", after)
				e.CallerIP = "198.51.100.1"
				return e
			})
		}
		named := []Entry{at(robot, 0)}
		found := of(TokenMinting, observe(named, elsewhere(0, gap), named, shift(mints(8, 10*time.Second), time.Minute), elsewhere(gap, gap+30*time.Minute)))
		if len(found) == 0 || found[0].Subject != robot {
			t.Errorf("swept %v later: found %+v, want one of %s", gap, found, robot)
		}
	}
}

// Who has a network of IPv6 calls from ever new addresses of it.
func TestANetworkOfAddressesIsOnePlace(t *testing.T) {
	calls := mints(8, 10*time.Second)
	for i := range calls {
		calls[i].CallerIP = fmt.Sprintf("2001:db8:1:2:%x::%x", i+1, i*i)
	}
	named := at(robot, 0)
	named.CallerIP = "2001:db8:1:2::1"
	other := named
	other.CallerIP = "2001:db8:1:3::1"
	for name, c := range map[string]struct {
		log  []Entry
		want string
	}{
		"nobody else was there":       {calls, "2001:db8:1:2::/64 python-requests/2"},
		"somebody was":                {append([]Entry{named}, calls...), robot},
		"somebody was in another one": {append([]Entry{other}, calls...), "2001:db8:1:2::/64 python-requests/2"},
	} {
		found := of(TokenMinting, observe(c.log))
		if len(found) == 0 || found[0].Subject != c.want || !strings.HasPrefix(fmt.Sprint(found[0].From), "[2001:db8:1:2:") || strings.Contains(fmt.Sprint(found[0].From), "/64") {
			t.Errorf("%s: found %+v, want %s", name, found, c.want)
		}
	}
}

func TestHome(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "::ffff:192.0.2.7", "2001:DB8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
		"private": "private", "": "", "a:b": "a:b",
	} {
		if got := (&Entry{CallerIP: address}).home(); got != want {
			t.Errorf("home of %q is %q, want %q", address, got, want)
		}
	}
}

func TestWhoHasALongNameIsStitched(t *testing.T) {
	named := at("", 0)
	named.PrincipalSubject = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github/subject/repo:" + strings.Repeat("x", maxSubject)
	found := of(TokenMinting, observe([]Entry{named}, mints(6, 10*time.Second)))
	if len(found) != 1 || !strings.HasPrefix(found[0].Subject, "principal://") {
		t.Errorf("found %+v, want one of the caller at the same place", found)
	}
}
