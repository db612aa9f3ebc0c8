package rotation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func apiKeyName(id string) string { return "projects/p/locations/global/keys/" + id }

// deleting is the journal after keys were deleted, a day apart.
func deleting(j Journal, ids ...string) Journal {
	for i, id := range ids {
		now := t0.Add(time.Duration(i) * day)
		j.Retiring = []Key{{ID: id, Version: fmt.Sprint(i + 1), Phase: Quarantined, Since: now.Add(-day), Given: now.Add(-3 * day)}}
		j = j.Record(now.Add(time.Millisecond), Step{Action: Delete, Key: j.Retiring[0]}, Outcome{})
	}
	return j
}

func (j Journal) retiredIDs() (ids []string) {
	for _, k := range j.Retired {
		ids = append(ids, k.ID)
	}
	return ids
}

func TestDeletedKeysAreRemembered(t *testing.T) {
	j := deleting(holding(key("k9", "9", Active, 0)), "k1")
	want := []RetiredKey{{ID: "k1", Versions: []string{"1"}, Given: t0.Add(-3 * day), Disabled: t0.Add(-day), Deleted: t0}}
	if diff := cmp.Diff(want, j.Retired); diff != "" || j.Deleted != nil {
		t.Errorf("retired (-want +got):\n%s, deleted %+v", diff, j.Deleted)
	}
	mustRoundTrip(t, j)
	var ids []string
	for n := range maxRetired + 3 {
		ids = append(ids, fmt.Sprint("key", n))
	}
	if got := deleting(j, ids...).retiredIDs(); !slices.Equal(got, ids[3:]) {
		t.Errorf("remembered are %v, want the last %d", got, maxRetired)
	}
	if got := deleting(j, "k2", "k1").retiredIDs(); !slices.Equal(got, []string{"k2", "k1"}) {
		t.Errorf("a key deleted twice: %v", got)
	}
}

func TestRecalledKeyIsNotRetired(t *testing.T) {
	j := deleting(holding(key(apiKeyName("k9"), "9", Active, 0)), apiKeyName("k1"), apiKeyName("k2"))
	if j.Deleted == nil || j.Deleted.ID != apiKeyName("k2") {
		t.Fatalf("deleted %+v", j.Deleted)
	}
	j = j.Record(t0.Add(2*day), Step{Action: Recall, Key: *j.Deleted}, Outcome{})
	if got := j.retiredIDs(); !slices.Equal(got, []string{apiKeyName("k1")}) || j.Incoming == nil {
		t.Errorf("retired after the recall: %v, incoming %+v", got, j.Incoming)
	}
}

// Retired keys give way, oldest first, when the journal has room for nothing else.
func TestRetiredKeysGiveWay(t *testing.T) {
	full := holding(key("k1", "1", Active, time.Hour))
	for n := range maxRetired {
		full.Retired = append(full.Retired, RetiredKey{ID: fmt.Sprintf("%040d", n), Given: t0, Disabled: t0, Deleted: t0})
	}
	full.Current.Denied = "d"
	bare := full
	bare.Retired = nil
	text, err := bare.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 500, 2000} {
		full.Current.Denied = strings.Repeat("d", 1+maxJournal-len(text)-room)
		text, err := full.Encode()
		if err != nil {
			t.Fatalf("%d bytes of room: %v", room, err)
		}
		got, err := ParseJournal(text)
		if err != nil {
			t.Fatal(err)
		}
		ids, all := got.retiredIDs(), full.retiredIDs()
		if !slices.Equal(ids, all[len(all)-len(ids):]) || (len(ids) == maxRetired) != (room == 2000) || (len(ids) == 0) != (room == 0) {
			t.Errorf("%d bytes of room: remembered are %v", room, ids)
		}
	}
}

func TestRetiredKeyThatIsNone(t *testing.T) {
	for _, retired := range []string{`{}`, `{"id":"k1"}`, `{"deleted":"2030-01-01T00:00:00Z"}`} {
		if j, err := ParseJournal(`{"v":3,"rotation":1,"retired":[` + retired + `]}`); err == nil {
			t.Errorf("%s was accepted: %+v", retired, j)
		}
	}
}
