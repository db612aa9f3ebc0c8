package permission

import (
	"cloud.google.com/go/firestore/apiv1/firestorepb"

	"example.com/keyturn/internal/localgcp/iam/access"
)

// documents are those of Firestore (docs.cloud.google.com/firestore/docs/security/iam).
// A query takes the permission to read documents, too.
var documents = service{
	api: "firestore.googleapis.com", audited: "google.firestore.v1.Firestore.",
	rules: map[string]access.Rule{
		"GetDocument": message("datastore.entities.get"),
		"RunQuery":    {Permission: "datastore.entities.list", Also: "datastore.entities.get", Unlogged: true},
		"Commit":      {PermissionOf: commits, Unlogged: true, Write: true},
	},
	resource: func(req any, _ string) string {
		switch r := req.(type) {
		case *firestorepb.CommitRequest:
			return inProject.FindString(r.GetDatabase())
		case *firestorepb.RunQueryRequest:
			return inProject.FindString(r.GetParent())
		}
		return inProject.FindString(named(req, ""))
	},
}

// commits is what the first of a commit's writes takes: keyturn makes one at a time.
func commits(req any) string {
	writes := req.(*firestorepb.CommitRequest).GetWrites()
	switch {
	case len(writes) == 0:
		return "datastore.entities.get"
	case writes[0].GetDelete() != "":
		return "datastore.entities.delete"
	case writes[0].GetCurrentDocument().GetUpdateTime() != nil || writes[0].GetCurrentDocument().GetExists():
		return "datastore.entities.update"
	}
	return "datastore.entities.create"
}
