package rotation

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// A journal has room for so much. The reserve is for replacing keys that are to
// be revoked, which must be possible however many old keys somebody still uses.
const (
	maxRetiring = 10  // superseded keys
	reserve     = 3   // further ones, which urgent rotations leave
	maxLeft     = 256 // bytes of Journal.Unstage: about 50 copies; urgent rotations may leave as many again
	maxCopies   = 64  // earlier versions of keys that were brought back
	maxReason   = 300 // bytes of a reason in the journal
	briefReason = 100 // the same, where room is short
)

// Crowded says, for people, of what the journal names so much that no rotation
// is begun but that of a key in use which is to be revoked; empty while there is
// room.
func (j Journal) Crowded() string { return j.crowded(maxRetiring, maxLeft) }

// full is Crowded of an urgent rotation.
func (j Journal) full() bool { return j.crowded(maxRetiring+reserve, 2*maxLeft) != "" }

func (j Journal) crowded(keys, left int) string {
	switch {
	case len(j.Retiring) >= keys:
		return fmt.Sprintf("%d superseded keys are still there, because somebody uses them or nobody knows", len(j.Retiring))
	case len(j.Unstage) >= left:
		return fmt.Sprintf("%d versions of the staging secret could not be destroyed", len(j.Left()))
	}
	return ""
}

// WornOut reports whether keys were brought back so often that the journal has no
// room for the versions of a further time.
func (j Journal) WornOut() bool {
	copies := 0
	for _, k := range j.Keys() {
		copies += len(k.Copies)
	}
	return copies >= maxCopies
}

// What a journal that is too large is spared, a little at a time: false says that
// there is nothing left of it.

func sparesRequests(j Journal) (Journal, bool) {
	if len(j.Requests) < 2 {
		return j, false
	}
	j.Requests = j.Requests[len(j.Requests)-1:]
	return j, true
}

func sparesTexts(j Journal) (Journal, bool) {
	lean := j.lean()
	return lean, !reflect.DeepEqual(lean, j)
}

func sparesRetired(j Journal) (Journal, bool) {
	if len(j.Retired) == 0 {
		return j, false
	}
	j.Retired = j.Retired[1:]
	return j, true
}

// lean is the journal without what only people read, and without the tests of old
// keys: a test that is forgotten makes a key seem used, and it is kept for longer.
func (j Journal) lean() Journal {
	j = j.clone()
	for i, k := range j.Retiring {
		j.Retiring[i].Tests = nil
		if k.Evidence != nil {
			bare := *k.Evidence
			bare.Reason = ""
			j.Retiring[i].Evidence = &bare
		}
	}
	if j.Deleted != nil {
		j.Deleted.Tests = nil // a clone
	}
	if j.Failure != nil {
		brief := *j.Failure
		brief.Reason = clip(brief.Reason, briefReason)
		j.Failure = &brief
	}
	if j.Pause != nil {
		brief := *j.Pause
		brief.Why = clip(brief.Why, briefReason)
		j.Pause = &brief
	}
	return j
}

// shorten bounds a reason that goes into the journal.
func shorten(s string) string { return clip(s, maxReason) }

// clip bounds a text by the bytes that it takes in JSON between its quotes, at a
// word's edge if it has words: half a name is another one.
func clip(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	text, err := inJSON(s)
	if err != nil || len(text) <= limit+len(`""`) {
		return s // no text is refused
	}
	for end := 1 + limit - len("…"); ; end-- {
		if short := text[:end]; utf8.ValidString(short) && json.Unmarshal([]byte(short+`"`), &s) == nil {
			return atWord(s) + "…"
		}
	}
}

// atWord is a text that was cut, without its last word, which may be no whole one.
func atWord(s string) string {
	if end := strings.LastIndexByte(s, ' '); end > len(s)/2 {
		return s[:end]
	}
	return s
}
