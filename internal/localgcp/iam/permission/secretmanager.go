package permission

import (
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"

	"example.com/keyturn/internal/localgcp/iam/access"
)

var secretManager = service{
	api:     "secretmanager.googleapis.com",
	audited: "google.cloud.secretmanager.v1.SecretManagerService.",
	rules: map[string]access.Rule{
		"ListSecrets":          read("secretmanager.secrets.list"),
		"CreateSecret":         write("secretmanager.secrets.create"),
		"GetSecret":            read("secretmanager.secrets.get"),
		"UpdateSecret":         write("secretmanager.secrets.update"),
		"DeleteSecret":         write("secretmanager.secrets.delete"),
		"AddSecretVersion":     write("secretmanager.versions.add"),
		"ListSecretVersions":   read("secretmanager.versions.list"),
		"GetSecretVersion":     read("secretmanager.versions.get"),
		"AccessSecretVersion":  read("secretmanager.versions.access"),
		"EnableSecretVersion":  write("secretmanager.versions.enable"),
		"DisableSecretVersion": write("secretmanager.versions.disable"),
		"DestroySecretVersion": write("secretmanager.versions.destroy"),
		"GetIamPolicy":         read("secretmanager.secrets.getIamPolicy"),
		"SetIamPolicy":         write("secretmanager.secrets.setIamPolicy"),
	},
	resource: func(req any, permission string) string {
		if r, ok := req.(*secretmanagerpb.UpdateSecretRequest); ok {
			return r.GetSecret().GetName()
		}
		return named(req, permission)
	},
	refuse: func(permission, resource string) error {
		return access.Refusal(map[string]string{"permission": permission, "resource": resource},
			"Permission '%s' denied for resource '%s' (or it may not exist).", permission, resource)
	},
}
