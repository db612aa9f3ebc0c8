package permission

import (
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"

	"example.com/keyturn/internal/localgcp/iam/access"
)

// apiKeys looks keys up by their strings in the own project alone.
var apiKeys = service{
	api:     "apikeys.googleapis.com",
	audited: "google.api.apikeys.v2.ApiKeys.",
	rules: map[string]access.Rule{
		"CreateKey":    write("apikeys.keys.create"),
		"ListKeys":     read("apikeys.keys.list"),
		"GetKey":       read("apikeys.keys.get"),
		"GetKeyString": read("apikeys.keys.getKeyString"),
		"UpdateKey":    write("apikeys.keys.update"),
		"DeleteKey":    write("apikeys.keys.delete"),
		"UndeleteKey":  write("apikeys.keys.undelete"),
		"LookupKey":    read("apikeys.keys.lookup"),
	},
	resource: func(req any, permission string) string {
		if r, ok := req.(*apikeyspb.UpdateKeyRequest); ok {
			return r.GetKey().GetName()
		}
		return named(req, permission)
	},
	refuse: func(permission, resource string) error { // ErrorInfo is [mem]
		return access.Refusal(map[string]string{"permission": permission, "resource": resource},
			"Permission '%s' denied on resource '%s' (or it may not exist).", permission, resource)
	},
}
