package secretmanager

import (
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/shared/lazyregexp"
)

var (
	parentPattern  = lazyregexp.New(`^projects/[^/]+(?:/locations/[^/]+)?$`)
	secretPattern  = lazyregexp.New(`^(projects/[^/]+(?:/locations/[^/]+)?)/secrets/[A-Za-z0-9_-]{1,255}$`)
	versionPattern = lazyregexp.New(`^(.+)/versions/([^/]+)$`)
	idPattern      = lazyregexp.New(`^[A-Za-z0-9_-]{1,255}$`)
)

// checkParent accepts projects/* and projects/*/locations/*.
func checkParent(parent string) error {
	if !parentPattern.MatchString(parent) {
		return malformed(parent, "projects/* or projects/*/locations/*")
	}
	return nil
}

// regional says whether a well-formed name is below a location.
func regional(name string) bool { return strings.Contains(name, "/locations/") }

// parseSecret returns the parent of a secret's name.
func parseSecret(name string) (parent string, err error) {
	m := secretPattern.FindStringSubmatch(name)
	if m == nil {
		return "", malformed(name, "projects/*/secrets/* or projects/*/locations/*/secrets/*")
	}
	return m[1], nil
}

// parseVersion splits a version's name into its secret's name and the rest: a
// number, `latest` or an alias.
func parseVersion(name string) (secretName, id string, err error) {
	m := versionPattern.FindStringSubmatch(name)
	if m == nil || !secretPattern.MatchString(m[1]) {
		return "", "", malformed(name, "projects/*/secrets/*/versions/* or projects/*/locations/*/secrets/*/versions/*")
	}
	return m[1], m[2], nil
}

// projectOf returns projects/* of a well-formed name.
func projectOf(name string) string {
	project, _, _ := strings.Cut(strings.TrimPrefix(name, "projects/"), "/")
	return "projects/" + project
}

// number reads a version id as Google writes it: 1, 2, 3, … without leading zeros.
func number(id string) (int64, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatInt(n, 10) == id
}

func malformed(name, want string) error {
	return status.Errorf(codes.InvalidArgument, "Resource name [%s] does not match the expected format [%s].", name, want)
}
