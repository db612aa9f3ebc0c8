package gcp

import (
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/iam/apiv1/iampb"
	cloudresourcemanager "google.golang.org/api/cloudresourcemanager/v1"
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
	client, err := c.resourceManager(ctx)
	if err != nil {
		return nil, err
	}
	request := &cloudresourcemanager.TestIamPermissionsRequest{Permissions: permissions}
	r, err := overREST(ctx, c, "/google.cloud.resourcemanager.v1.Projects/TestIamPermissions", "projects/"+project, func(ctx context.Context) (*cloudresourcemanager.TestIamPermissionsResponse, error) {
		return client.Projects.TestIamPermissions(project, request).Context(ctx).Do()
	})
	var granted []string
	if r != nil {
		granted = r.Permissions
	}
	return missing("projects/"+project, permissions, granted, err)
}

func missing(resource string, asked, granted []string, err error) ([]string, error) {
	if err != nil {
		return nil, fmt.Errorf("asking for permissions on %s: %w", resource, err)
	}
	return slices.DeleteFunc(slices.Clone(asked), func(p string) bool { return slices.Contains(granted, p) }), nil
}
