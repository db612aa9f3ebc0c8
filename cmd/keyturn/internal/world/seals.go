package world

import (
	"context"
	"crypto/rand"

	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp"
)

// Connection says how to reach the world's Google Cloud as its functions do.
func (w *World) Connection() gcp.Config {
	return gcp.Config{
		Project: w.Project, Endpoint: w.Cloud.Addr(),
		SealCommands: w.site().Expand(deployment.Version(deployment.SealCommands)),
		SealFindings: w.site().Expand(deployment.Version(deployment.SealFindings)),
	}
}

// makeSeals makes up the keys that seal messages.
func (w *World) makeSeals(ctx context.Context) error {
	cloud, err := gcp.New(w.Connection())
	if err != nil {
		return err
	}
	defer cloud.Close()
	for _, id := range deployment.Seals {
		secret, key := w.site().Secret(id), make([]byte, 32)
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
