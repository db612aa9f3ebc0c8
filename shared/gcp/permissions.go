package gcp

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"cloud.google.com/go/iam/apiv1/iampb"
)

// MissingOnSecret returns those of the permissions that the caller does not hold on a
// secret.
func (c *Cloud) MissingOnSecret(ctx context.Context, secret string, permissions []string) ([]string, error) {
	client, err := c.secretManager(ctx)
	if err != nil {
		return nil, err
	}
	r, err := client.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: secret, Permissions: permissions})
	return missing(secret, permissions, r.GetPermissions(), err)
}

// MissingOnAccount returns those of the permissions that the caller does not hold on
// a service account, by its full name.
func (c *Cloud) MissingOnAccount(ctx context.Context, account string, permissions []string) ([]string, error) {
	client, err := c.iamAdmin(ctx)
	if err != nil {
		return nil, err
	}
	r, err := client.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: account, Permissions: permissions})
	return missing(account, permissions, r.GetPermissions(), err)
}

// MissingOnProject returns those of the permissions that the caller does not hold on a
// project.
func (c *Cloud) MissingOnProject(ctx context.Context, project string, permissions []string) ([]string, error) {
	r, err := overREST[struct{ Permissions []string }](ctx, c, restCall{
		method: "/google.cloud.resourcemanager.v1.Projects/TestIamPermissions", resource: "projects/" + project,
		api: resourceManager, verb: http.MethodPost, path: "v1/projects/" + project + ":testIamPermissions", body: map[string]any{"permissions": permissions},
	})
	return missing("projects/"+project, permissions, r.Permissions, err)
}

func missing(resource string, asked, granted []string, err error) ([]string, error) {
	if err != nil {
		return nil, fmt.Errorf("asking for permissions on %s: %w", resource, err)
	}
	return slices.DeleteFunc(slices.Clone(asked), func(p string) bool { return slices.Contains(granted, p) }), nil
}
