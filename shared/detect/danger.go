package detect

import "strings"

// Weights of permissions. What reads is often missing by accident, so it takes
// many to be conspicuous; what writes is asked for on purpose; what hands out
// further permissions, identities or secrets, or blinds the logs, is what a thief
// wants first.
const (
	weightUnit   = 100
	weightRead   = 60
	weightWrite  = 130
	weightDanger = 300
	weightCrown  = 400
)

func weightOf(permission string) int {
	switch {
	case crownJewel(permission):
		return weightCrown
	case dangerous(permission):
		return weightDanger
	case reads(permission):
		return weightRead
	}
	return weightWrite
}

// reads goes by the verb, with which the name of a permission or method ends.
func reads(permission string) bool {
	verb := strings.ToLower(permission[strings.LastIndexAny(permission, "./")+1:])
	for _, prefix := range []string{"get", "list", "search", "query", "read", "view", "test", "fetch", "batchget", "describe", "watch", "count", "lookup", "check"} {
		if strings.HasPrefix(verb, prefix) {
			return true
		}
	}
	return false
}

// crownJewel reports whether a single use of the permission can take over a
// project, or be anybody in it.
func crownJewel(permission string) bool {
	switch permission {
	case "resourcemanager.projects.setIamPolicy", "resourcemanager.folders.setIamPolicy", "resourcemanager.organizations.setIamPolicy",
		"iam.serviceAccounts.setIamPolicy", "iam.serviceAccountKeys.create", "iam.serviceAccounts.signBlob", "iam.serviceAccounts.signJwt",
		"iam.serviceAccounts.implicitDelegation", "iam.roles.update", "storage.hmacKeys.create",
		"orgpolicy.policy.set", "logging.sinks.delete", "logging.sinks.update":
		return true
	}
	return false
}

// dangerous reports whether a permission leads to others, or to secrets.
func dangerous(permission string) bool {
	for _, suffix := range []string{".setIamPolicy", ".actAs", ".getAccessToken", ".getOpenIdToken", ".signBlob", ".signJwt", ".implicitDelegation", ".getKeyString"} {
		if strings.HasSuffix(permission, suffix) {
			return true
		}
	}
	switch permission {
	case "iam.roles.create", "iam.serviceAccounts.create", "apikeys.keys.create", "secretmanager.versions.access":
		return true
	}
	return crownJewel(permission)
}
