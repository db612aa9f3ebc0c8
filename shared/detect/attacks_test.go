package detect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	oneDay = 24 * time.Hour
	robot  = "robot@p.iam.gserviceaccount.com"
)

// by gives entries another caller.
func by(principal string, entries []Entry) []Entry {
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].Principal = principal
	}
	return entries
}

// each makes n entries, one each step from a time on.
func each(n int, from, step time.Duration, make func(i int, at time.Duration) Entry) []Entry {
	var entries []Entry
	for i := range n {
		entries = append(entries, make(i, from+time.Duration(i)*step))
	}
	return entries
}

func repeated(permission string, n int, from, step time.Duration) []Entry {
	return each(n, from, step, func(_ int, at time.Duration) Entry { return denied(permission, at) })
}

func granting(actor, member string, at time.Duration) Entry {
	e := allowed("resourcemanager.projects.setIamPolicy", at)
	e.Service, e.Method, e.Principal = "cloudresourcemanager.googleapis.com", "SetIamPolicy", actor
	e.Resource, e.Grants = "projects/p", []Grant{{"roles/editor", member}}
	return e
}

func reading(secret int, at time.Duration) Entry {
	e := allowed("secretmanager.versions.access", at)
	e.Service, e.Method = "secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion"
	e.Resource = fmt.Sprintf("projects/1/secrets/s%03d/versions/latest", secret)
	e.InsertID = fmt.Sprint("read", secret, at)
	return e
}

func testing100(call int, at time.Duration) Entry {
	e := allowed("resourcemanager.projects.get", at)
	e.Method, e.UserAgent = "TestIamPermissions", "python-requests/2"
	for i := range 100 {
		e.Tested = append(e.Tested, fmt.Sprintf("s%d.things%d.get", call, i))
	}
	return e
}

// ordinaryDays are days on which the subject did a few things, each hour.
func ordinaryDays(days int) []Entry {
	return each(days*24, 0, time.Hour, func(i int, at time.Duration) Entry {
		return allowed([]string{"storage.objects.create", "storage.objects.get", "pubsub.topics.publish"}[i%3], at)
	})
}

// attacks are logs of one attack each, by what it is.
func attacks() map[string][]Entry {
	history := ordinaryDays(10)
	masked := mints(6, 20*time.Second)
	for i := range masked {
		masked[i].Principal = "ri...e@gm...m"
	}
	named := allowed("storage.objects.get", 2*time.Minute)
	named.Principal, named.CallerIP, named.UserAgent = "rita.moore@gmail.com", "192.0.2.7", "python-requests/2"
	exchange := each(6, 0, time.Second, func(i int, at time.Duration) Entry {
		e := mint(i, at)
		e.Service, e.Method, e.Account, e.Resource = "sts.googleapis.com", "google.identity.sts.v1.SecurityTokenService.ExchangeToken", "", fmt.Sprint("pools/", i)
		return e
	})
	return map[string][]Entry{
		"fast probe":  probe(500, 700*time.Millisecond),
		"slow probe":  probe(480, 12*time.Minute),
		"reads only":  each(480, 0, 12*time.Minute, func(i int, at time.Duration) Entry { return denied(fmt.Sprintf("s.things%d.list", i), at) }),
		"known burst": append(slices.Clone(history), shift(probe(30, 20*time.Second), 10*oneDay)...),
		"minting":     mints(30, time.Minute),
		"masked":      append(masked, named),
		"exchange":    exchange,
		"turned":      append(repeated("secretmanager.versions.access", 15, 0, 4*time.Minute), allowed("secretmanager.versions.access", 61*time.Minute)),
		"doors": append(append(each(5*24, 0, time.Hour, func(i int, at time.Duration) Entry { return reading(0, at) }),
			each(15, 5*oneDay, time.Minute, func(i int, at time.Duration) Entry {
				e := reading(i+1, at)
				e.Code, e.Permissions[0].Granted = 7, false
				return e
			})...), reading(99, 5*oneDay+20*time.Minute)),
		"self-grant": append(repeated("compute.instances.create", 8, 0, 4*time.Minute), granting(thief, "serviceAccount:"+thief, 40*time.Minute),
			allowed("compute.instances.create", 45*time.Minute)),
		"sweep":   append(slices.Clone(history), each(3, 10*oneDay, 5*time.Second, testing100)...),
		"harvest": append(slices.Clone(history), each(60, 10*oneDay, 3*time.Second, reading)...),
		"crown":   append(slices.Clone(history), denied("resourcemanager.projects.setIamPolicy", 10*oneDay)),
	}
}

func shift(entries []Entry, d time.Duration) []Entry {
	shifted := slices.Clone(entries)
	for i := range shifted {
		shifted[i].Time = shifted[i].Time.Add(d)
	}
	return shifted
}

func TestAttacksAreFound(t *testing.T) {
	for name, want := range map[string]struct {
		detector, subject string
		severity          Severity
		within            time.Duration // of the attack's beginning
	}{
		"fast probe":  {PermissionProbing, thief, Warning, time.Minute},
		"slow probe":  {PermissionProbing, thief, Warning, 3 * time.Hour},
		"reads only":  {PermissionProbing, thief, Warning, 5 * time.Hour},
		"known burst": {DenialBurst, thief, Warning, 10*oneDay + 3*time.Minute},
		"minting":     {TokenMinting, "192.0.2.7 python-requests/2", High, 10 * time.Minute},
		"masked":      {TokenMinting, "rita.moore@gmail.com", High, 10 * time.Minute},
		"exchange":    {TokenMinting, "192.0.2.7 python-requests/2", High, 5 * time.Minute},
		"turned":      {FailureThenSuccess, thief, High, 2 * time.Hour},
		"doors":       {FailureThenSuccess, thief, High, 5*oneDay + time.Hour},
		"self-grant":  {FailureThenSuccess, thief, Critical, 2 * time.Hour},
		"sweep":       {PermissionSweep, thief, High, 10*oneDay + time.Minute},
		"harvest":     {MassSecretRead, thief, High, 10*oneDay + 2*time.Minute},
		"crown":       {CrownJewelDenial, thief, High, 10*oneDay + 2*time.Hour},
	} {
		found := of(want.detector, observe(attacks()[name]))
		if len(found) == 0 {
			t.Errorf("%s: not found; other findings: %v", name, ids(observe(attacks()[name])))
			continue
		}
		f := found[0]
		if f.Subject != want.subject || f.Severity.rank() < want.severity.rank() || f.Update || f.LastSeen.Sub(start) > want.within {
			t.Errorf("%s: %s, %s, after %v: %s", name, f.Subject, f.Severity, f.LastSeen.Sub(start), f.Reason)
		}
		if f.Score < 1 || f.Technique == "" || f.Runbook == "" || len(f.Evidence) == 0 || f.Count == 0 || !strings.Contains(f.Reason, f.Subject) || f.Project != "p" {
			t.Errorf("%s: finding = %+v", name, f)
		}
	}
}

// What happens every day in every organisation, and what must not be told.
func TestBenignKindsAreQuiet(t *testing.T) {
	history := ordinaryDays(9)
	patched := slices.Concat(repeated("container.clusterRoleBindings.update", 50, 0, time.Minute), repeated("container.clusterRoles.update", 70, 0, time.Minute), repeated("container.events.create", 300, 0, 10*time.Second))
	granted := func(late time.Duration) []Entry {
		log := append(repeated("resourcemanager.projects.setIamPolicy", 120, 0, time.Minute), allowed("resourcemanager.projects.setIamPolicy", 2*time.Hour+time.Minute))
		grant, arrives := granting("admin@x", "serviceAccount:"+thief, 2*time.Hour), 2*time.Hour+late
		noise := each(20, 2*time.Hour, time.Minute, func(_ int, at time.Duration) Entry { return by("other@x", []Entry{allowed("a.b.get", at)})[0] })
		at := slices.IndexFunc(noise, func(e Entry) bool { return e.Time.Sub(start) >= arrives })
		return append(log, slices.Insert(noise, at, grant)...)
	}
	terraform := each(120, 0, time.Second, func(i int, at time.Duration) Entry { return allowed(fmt.Sprintf("s.things%03d.create", i), at) })
	narrowed := append(terraform, shift(probe(120, time.Second), 3*oneDay)...)
	policy := each(2000, 0, time.Second, func(i int, at time.Duration) Entry {
		e := denied(fmt.Sprintf("bigquery.tables.t%d", i%50), at)
		e.Violation, e.Permissions = "VPC_SERVICE_CONTROLS", nil
		e.Method = fmt.Sprint("method", i%50)
		return e
	})
	org := each(50, 0, time.Minute, func(_ int, at time.Duration) Entry {
		e := allowed("iam.serviceAccountKeys.create", at)
		e.Code, e.Violation = 9, "constraints/iam.disableServiceAccountKeyCreation"
		return e
	})
	registry := each(400, 0, time.Minute, func(_ int, at time.Duration) Entry {
		e := denied("artifactregistry.repositories.downloadArtifacts", at)
		e.Code, e.Principal, e.CallerIP, e.Message = 2, "", "192.0.2.9", "permission denied by IAM"
		return e
	})
	agent := by("service-123456@gcp-sa-scc.iam.gserviceaccount.com", probe(25, time.Hour))
	console := each(3, 0, time.Minute, testing100)
	for i := range console {
		console[i].UserAgent = "Mozilla/5.0 (X11; Linux x86_64)"
	}
	var weekly []Entry
	for week := range 5 {
		weekly = append(weekly, shift(each(12, 0, 10*time.Second, func(i int, at time.Duration) Entry { return denied(fmt.Sprintf("s.things%d.list", i), at) }), time.Duration(week)*7*oneDay)...)
	}
	for name, log := range map[string][]Entry{
		"missing grant retried for 2 hours, then granted":   granted(time.Second),
		"and the grant is logged late":                      granted(8 * time.Minute),
		"controller patch loop":                             patched,
		"a service agent of Google's":                       agent,
		"narrowed Terraform run":                            narrowed,
		"VPC Service Controls refuse a batch":               policy,
		"organisation policy, code 9":                       org,
		"Artifact Registry, code 2":                         registry,
		"the console asks for its buttons":                  console,
		"the same things on each Monday":                    weekly,
		"a workload impersonates its two accounts, in vain": append(mints(2, time.Minute), shift(mints(2, time.Minute), oneDay)...),
		"a consumer reads its eight secrets every day":      slices.Concat(each(8, 0, time.Second, reading), shift(each(8, 0, time.Second, reading), oneDay), shift(each(8, 0, time.Second, reading), 5*oneDay)),
		"a job tries for a crown jewel again and again":     append(slices.Clone(history), repeated("resourcemanager.projects.setIamPolicy", 8, 9*oneDay, 15*time.Minute)...),
		"an administrator misses one of many permissions":   append(slices.Insert(slices.Clone(history), 0, allowed("resourcemanager.projects.update", 0)), denied("resourcemanager.projects.setIamPolicy", 9*oneDay)),
		"a grant takes some minutes to work":                append(append([]Entry{granting("admin@x", "serviceAccount:"+thief, 0)}, repeated("a.b.create", 7, time.Minute, time.Minute)...), allowed("a.b.create", 8*time.Minute)),
		"a grant to a group":                                append(repeated("a.b.create", 9, 0, time.Minute), granting("admin@x", "group:all@x", 10*time.Minute), allowed("a.b.create", 12*time.Minute)),
		"a handful of failures":                             append(repeated("a.b.create", 4, 0, time.Minute), allowed("a.b.create", 12*time.Minute)),
		"sometimes denied, sometimes not": each(200, 0, time.Minute, func(i int, at time.Duration) Entry {
			e := allowed("a.b.create", at)
			if i%3 > 0 {
				e = denied("a.b.create", at)
				e.Resource = "elsewhere"
			}
			return e
		}),
	} {
		for _, f := range observe(log) {
			if f.Detector != PolicyDenial {
				t.Errorf("%s: %s %s %v: %s", name, f.Detector, f.Severity, f.Score, f.Reason)
			}
		}
	}
}

func TestPolicyDenialsAreToldOnceADay(t *testing.T) {
	log := each(3000, 0, time.Minute, func(i int, at time.Duration) Entry {
		e := denied("", at)
		e.Violation, e.Method = "VPC_SERVICE_CONTROLS", fmt.Sprint("method", i%50)
		return e
	})
	found := observe(log)
	var first, updates int
	for _, f := range found {
		if f.Detector != PolicyDenial || f.Severity != Info || !strings.HasPrefix(f.Advice, "nothing, unless") {
			t.Errorf("finding = %+v", f)
		}
		if !f.Update {
			first++
			continue
		}
		updates++
		if updates == 2 && (f.Count < 1000 || f.Count > 2200) {
			t.Errorf("%d denials in a day of 1440", f.Count)
		}
	}
	if first != 3 || updates != 3 {
		t.Errorf("%d findings and %d updates on three days", first, updates)
	}
}
