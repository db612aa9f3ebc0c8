package world

import (
	"context"
	"crypto/rand"

	"example.com/keyturn/shared/gcp"
)

// The secrets that seal what the functions tell each other.
const (
	sealCommands = "keyturn-seal-commands"
	sealFindings = "keyturn-seal-findings"
)

func sealVersion(project, secret string) string {
	return "projects/" + project + "/secrets/" + secret + "/versions/latest"
}

// Connection says how to reach the world's Google Cloud as its functions do.
func (w *World) Connection() gcp.Config {
	return gcp.Config{
		Project: w.Project, Endpoint: w.Cloud.Addr(),
		SealCommands: sealVersion(w.Project, sealCommands), SealFindings: sealVersion(w.Project, sealFindings),
	}
}

// makeSeals makes up the keys that seal messages.
func (w *World) makeSeals(ctx context.Context) error {
	cloud, err := gcp.New(w.Connection())
	if err != nil {
		return err
	}
	defer cloud.Close()
	for _, id := range []string{sealCommands, sealFindings} {
		secret, key := "projects/"+w.Project+"/secrets/"+id, make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		if err := cloud.EnsureSecret(ctx, secret, nil); err != nil {
			return err
		}
		if _, _, err := cloud.AddVersion(ctx, secret, key); err != nil {
			return err
		}
	}
	return nil
}
