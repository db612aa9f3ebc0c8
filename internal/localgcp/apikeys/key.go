package apikeys

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/apikeys/restriction"
	"example.com/keyturn/internal/localgcp/random"
)

const (
	retention      = 30 * 24 * time.Hour // of deleted keys
	maxDisplayName = 63
	maxAnnotations = 256 << 10 // bytes of all names and values, AIP-148
)

var (
	parentPattern = regexp.MustCompile(`^projects/([^/]+)/locations/([^/]+)$`)
	namePattern   = regexp.MustCompile(`^(projects/[^/]+/locations/[^/]+)/keys/([^/]+)$`)
	idPattern     = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	uuidPattern   = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// key is a stored key. The messages it holds are replaced, never changed, and
// none carries the key string.
type key struct {
	born    int // orders listings
	parent  string
	current *apikeyspb.Key
	secret  string // the key string
	lastUse time.Time
	views   []view // what users of the key see, oldest first
}

// view is what users of a key see from some moment on; nil that there is none.
type view struct {
	from time.Time
	key  *apikeyspb.Key
}

// newSecret returns a key string in Google's form: 39 characters, the first four fixed.
func newSecret(source *random.Source) string {
	return "AIza" + base64.RawURLEncoding.EncodeToString(source.Bytes(27))[:35]
}

// set makes updated the key's state at now; its users see it a lag later.
func (k *key) set(updated *apikeyspb.Key, now time.Time, lag time.Duration) {
	updated.UpdateTime = timestamppb.New(now)
	updated.Etag = etag(updated)
	k.current = updated
	visible := updated
	if updated.GetDeleteTime() != nil {
		visible = nil
	}
	for len(k.views) > 1 && !k.views[1].from.After(now) {
		k.views = k.views[1:]
	}
	k.views = append(k.views, view{now.Add(lag), visible})
}

// seenAt returns the key as its users see it; nil when they know none.
func (k *key) seenAt(t time.Time) (seen *apikeyspb.Key) {
	for _, v := range k.views {
		if v.from.After(t) {
			break
		}
		seen = v.key
	}
	return seen
}

func (k *key) deleted() bool { return k.current.GetDeleteTime() != nil }

func (k *key) purged(now time.Time) bool {
	return k.deleted() && !now.Before(k.current.GetDeleteTime().AsTime().Add(retention))
}

// etag is a weak checksum of the key's state, in Google's form.
func etag(k *apikeyspb.Key) string {
	plain := proto.CloneOf(k)
	plain.Etag = ""
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(plain)
	if err != nil {
		panic(err) // only for strings that are not UTF-8, which neither gRPC nor JSON lets in
	}
	sum := sha256.Sum256(b)
	return `W/"` + base64.StdEncoding.EncodeToString(sum[:16]) + `"`
}

// checkEtag lets an omitted etag pass unchecked; the code is that of AIP-154.
func (k *key) checkEtag(given string) error {
	if given != "" && given != k.current.GetEtag() {
		return status.Error(codes.Aborted, "The etag provided in the request does not match the key's current etag. Please retry the whole read-modify-write with exponential backoff.")
	}
	return nil
}

func errNotFound() error { return status.Error(codes.NotFound, "Requested entity was not found.") }

func parentName(project string) string { return "projects/" + project + "/locations/global" }

// parseParent returns the number of the project whose keys parent holds.
func (s *Service) parseParent(parent string) (project string, err error) {
	m := parentPattern.FindStringSubmatch(parent)
	if m == nil {
		return "", invalid("Resource name [%s] does not match the expected format [projects/*/locations/global].", parent)
	}
	if m[2] != "global" {
		return "", invalid("Location [%s] is not supported: keys are global.", m[2])
	}
	return s.number(m[1]), nil
}

// parseName returns the project number of a key and its name with that number.
func (s *Service) parseName(name string) (project, canonical string, err error) {
	m := namePattern.FindStringSubmatch(name)
	if m == nil {
		return "", "", invalid("Resource name [%s] does not match the expected format [projects/*/locations/global/keys/*].", name)
	}
	project, err = s.parseParent(m[1])
	return project, parentName(project) + "/keys/" + m[2], err
}

func checkKeyID(id string) error {
	if !idPattern.MatchString(id) {
		return invalid("key_id %q does not match [a-z]([a-z0-9-]{0,61}[a-z0-9])?.", id)
	}
	if uuidPattern.MatchString(id) {
		return invalid("key_id must not be a UUID-like string.")
	}
	return nil
}

// writable returns a key with only what clients may set, checked.
func writable(k *apikeyspb.Key) (*apikeyspb.Key, error) {
	if n := utf8.RuneCountInString(k.GetDisplayName()); n > maxDisplayName {
		return nil, invalid("display_name has %d characters; the most is %d.", n, maxDisplayName)
	}
	if err := checkAnnotations(k.GetAnnotations()); err != nil {
		return nil, err
	}
	restrictions, err := restriction.Normalize(k.GetRestrictions())
	if err != nil {
		return nil, err
	}
	return &apikeyspb.Key{DisplayName: k.GetDisplayName(), Annotations: k.GetAnnotations(), Restrictions: restrictions}, nil
}

func checkAnnotations(annotations map[string]string) error {
	total := 0
	for name, value := range annotations {
		if name == "" {
			return invalid("annotations must not have an empty key.")
		}
		total += len(name) + len(value)
	}
	if total > maxAnnotations {
		return invalid("annotations have %d bytes; the most is %d.", total, maxAnnotations)
	}
	return nil
}

// masked returns current with the fields that paths name taken from sent. No
// paths stand for all that are set in sent, * for all.
func masked(current, sent *apikeyspb.Key, paths []string) (*apikeyspb.Key, error) {
	updated := proto.CloneOf(current)
	if len(paths) == 0 {
		paths = setFields(sent)
	}
	if slices.Contains(paths, "*") {
		paths = []string{"display_name", "restrictions", "annotations"}
	}
	for _, p := range paths {
		if err := copyField(updated, sent, p); err != nil {
			return nil, err
		}
	}
	checked, err := writable(updated)
	if err != nil {
		return nil, err
	}
	updated.Restrictions = checked.GetRestrictions()
	return updated, nil
}

func setFields(k *apikeyspb.Key) (paths []string) {
	if k.GetDisplayName() != "" {
		paths = append(paths, "display_name")
	}
	if k.GetRestrictions() != nil {
		paths = append(paths, "restrictions")
	}
	if len(k.GetAnnotations()) > 0 {
		paths = append(paths, "annotations")
	}
	return paths
}

func copyField(to, from *apikeyspb.Key, path string) error {
	switch path {
	case "display_name":
		to.DisplayName = from.GetDisplayName()
	case "annotations":
		to.Annotations = from.GetAnnotations()
	case "restrictions":
		to.Restrictions = proto.CloneOf(from.GetRestrictions())
	case "restrictions.api_targets":
		restrictionsOf(to).ApiTargets = from.GetRestrictions().GetApiTargets()
	case "restrictions.browser_key_restrictions", "restrictions.server_key_restrictions",
		"restrictions.android_key_restrictions", "restrictions.ios_key_restrictions":
		restrictionsOf(to).ClientRestrictions = from.GetRestrictions().GetClientRestrictions()
	default:
		return invalid("update_mask names %q; display_name, restrictions and annotations can be updated.", path)
	}
	return nil
}

func restrictionsOf(k *apikeyspb.Key) *apikeyspb.Restrictions {
	if k.Restrictions == nil {
		k.Restrictions = &apikeyspb.Restrictions{}
	}
	return k.Restrictions
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}
