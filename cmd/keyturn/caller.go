package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"example.com/keyturn/shared/gcp"
)

// impersonated are the accounts of --impersonate-service-account.
func (a *app) impersonated() ([]string, error) {
	chain, err := gcp.ParseImpersonate(a.impersonate)
	if err != nil {
		return nil, fmt.Errorf("%w: --impersonate-service-account: %w", errUsage, err)
	}
	return chain, nil
}

// connection says which cloud the command line is about, and as whom it is called. A
// user-managed key of Google's own is refused, or warned of once.
func (a *app) connection() (gcp.Config, error) {
	chain, err := a.impersonated()
	c := gcp.Config{Project: a.project, Endpoint: a.endpoint, Impersonate: chain, AllowKeyFile: a.allowKeyFile, QuotaProject: os.Getenv("GOOGLE_CLOUD_QUOTA_PROJECT"), Attached: os.Getenv("GCE_METADATA_HOST") != ""}
	if file := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"); a.endpoint != "" && gcp.KeyFileOf(a.endpoint, file) {
		c.KeyFile = file // a key of another cloud is none of this one's
	}
	if err == nil {
		err = gcp.CheckOwnKey(c)
	}
	if own := gcp.OwnKeyOf(c); err == nil && a.endpoint == "" && own != (gcp.OwnKey{}) && !a.warned {
		a.warned = true
		fmt.Fprintln(a.stderr, "keyturn: warning:", plainly(own.Warning()))
	}
	return c, err
}

// cloud is the connection to it. Errors are mistakes on the command line.
func (a *app) cloud() (*gcp.Cloud, error) {
	c, err := a.connection()
	if err != nil {
		return nil, err
	}
	cloud, err := gcp.New(c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return cloud, nil
}

// denied says who lacks what, and which command grants it.
func (a *app) denied(err error) error {
	d, ok := gcp.DenialOf(err)
	if !ok {
		return fmt.Errorf("%w; 'gcloud auth application-default login' and --impersonate-service-account choose the account that keyturn uses", err)
	}
	c, _ := a.connection() // it was parsed before
	if d.Permission == mint && len(c.Impersonate) > 0 {
		c.Impersonate = c.Impersonate[:len(c.Impersonate)-1] // it is who acts as the last that lacks it
	}
	who := ""
	if cloud, err := gcp.New(c); err == nil {
		who = cloud.Caller(context.Background())
	}
	next := "ask whoever grants roles for one with " + d.Permission
	if grant := d.Grant(member(who)); grant != "" {
		next = "grant it: " + grant
	}
	separator := ";"
	if strings.HasSuffix(plainly(err.Error()), ".") { // Google's own sentence
		separator = ""
	}
	return fmt.Errorf("%w%s %s lacks %s on %s; %s", err, separator, cmp.Or(who, "the account of your Application Default Credentials"), d.Permission, d.Resource, next)
}

// member is an account as IAM's policies name it.
func member(who string) string {
	switch {
	case who == "":
		return "MEMBER" // whoever reads it knows who he is
	case strings.HasSuffix(who, ".gserviceaccount.com"):
		return "serviceAccount:" + who
	}
	return "user:" + who
}

// mint is what acting as a service account takes on it.
const mint = "iam.serviceAccounts.getAccessToken"
