package detect

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// One permission that is denied on many things is a probe, too, if it is a
// dangerous one and the subject never got into them.
func TestBreadthOfTargetsCounts(t *testing.T) {
	own := each(5*24, 0, time.Hour, func(i int, at time.Duration) Entry { return reading(i%40, at) })
	secrets := func(n int) []Entry {
		return each(n, 5*oneDay, time.Second, func(i int, at time.Duration) Entry {
			e := reading(i, at)
			e.Code, e.Permissions[0].Granted = 7, false
			return e
		})
	}
	everywhere := func(permission string, n int, step time.Duration) []Entry {
		return each(n, 5*oneDay, step, func(i int, at time.Duration) Entry { return on(fmt.Sprint("projects/p", i), denied(permission, at)) })
	}
	for name, c := range map[string]struct {
		log  []Entry
		told bool
	}{
		"500 secrets":                            {secrets(500), true},
		"500 others than its own":                {append(slices.Clone(own), secrets(500)...), true},
		"its own 40 secrets":                     {append(slices.Clone(own), secrets(40)...), false},
		"a dozen secrets":                        {secrets(12), false},
		"the policies of 500 projects":           {everywhere("resourcemanager.projects.setIamPolicy", 500, time.Second), true},
		"keys of 500 accounts, 10 an hour":       {everywhere("iam.serviceAccountKeys.create", 500, 6*time.Minute), true},
		"500 instances, which is read":           {everywhere("compute.instances.get", 500, time.Second), false},
		"500 instances, by a job without grants": {everywhere("compute.instances.create", 500, time.Second), false},
		"one project 500 times":                  {repeated("resourcemanager.projects.setIamPolicy", 500, 5*oneDay, time.Second), false},
	} {
		if found := of(PermissionProbing, observe(c.log)); (len(found) > 0) != c.told {
			t.Errorf("%s: found %+v", name, found)
		}
	}
}

// What is denied to a key from where it does not belong weighs more.
func TestANewNetworkAddsWeight(t *testing.T) {
	from := func(address string, log []Entry) []Entry {
		log = slices.Clone(log)
		for i := range log {
			log[i].KeyName = "//iam.googleapis.com/projects/p/serviceAccounts/" + thief + "/keys/0123456789012345678901234567890123456789"
			log[i].CallerIP, log[i].UserAgent = address, "app/1"
		}
		return log
	}
	home := from("192.0.2.7", ordinaryDays(5))
	reads := each(15, 5*oneDay, time.Minute, func(i int, at time.Duration) Entry { return denied(fmt.Sprintf("s.things%d.list", i), at) })
	for name, c := range map[string]struct {
		log  []Entry
		told bool
	}{
		"from another network":      {append(slices.Clone(home), from("198.51.100.7", reads)...), true},
		"by a key not known before": {from("198.51.100.7", reads), false},
		"from home":                 {append(slices.Clone(home), from("192.0.2.9", reads)...), false},
		"by no key":                 {append(slices.Clone(home), reads...), false},
		"a few from elsewhere":      {append(slices.Clone(home), from("198.51.100.7", reads[:8])...), false},
	} {
		if found := of(PermissionProbing, observe(c.log)); (len(found) > 0) != c.told {
			t.Errorf("%s: found %+v", name, found)
		}
	}
}

// An identity may look like a place.
func TestAnIdentityWithSpacesIsNoStranger(t *testing.T) {
	log := probe(8, time.Minute)
	for i := range log {
		log[i].Principal, log[i].PrincipalSubject = "", "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/ci job on main"
	}
	if found := of(PermissionProbing, observe(log)); len(found) != 1 || found[0].Subject != log[0].PrincipalSubject {
		t.Errorf("found %+v", found)
	}
}
