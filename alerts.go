package keyturn

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/alertfile"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/channel"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/notify"
)

// alerts are who is told of what, and the channels to them besides the topic.
func alerts(ctx context.Context, env gcp.Environment, cloud *gcp.Cloud, log *slog.Logger) (alerting.Config, []alert.Channel, error) {
	file, err := readAlerts(ctx, env.Alerts, cloud)
	if err != nil {
		return alerting.Config{}, nil, fmt.Errorf("KEYTURN_ALERTS: %w", err)
	}
	for _, w := range file.Warnings {
		log.WarnContext(ctx, "KEYTURN_ALERTS", "warning", w.Error())
	}
	from := notify.Deployment{Region: env.Region, Runbooks: file.Runbooks}
	channels := []alert.Channel{&notify.Console{W: os.Stdout, Deployment: from}}
	if env.WebhookURL != "" {
		channels = append(channels, &notify.Webhook{URL: env.WebhookURL, Client: notify.NewClient(notify.Egress{AllowPrivate: env.Endpoint != "", Hosts: env.Egress, Deployment: from})})
	}
	config := channel.Config{From: from, Hosts: env.Egress, Tokens: cloud.Tokens(), Secret: func(ctx context.Context, version string) ([]byte, error) { return payload(ctx, cloud, version) }}
	for _, c := range channel.New(file.Channels, config) {
		channels = append(channels, c)
	}
	file.Config.Brake.Spare = slices.Concat(file.Config.Brake.Spare, own(env.Project))
	return file.Config, channels, distinct(channels)
}

// distinct refuses channels of one name: one of them would be told of all twice.
func distinct(channels []alert.Channel) error {
	known := make(map[string]bool, len(channels))
	for _, c := range channels {
		if known[c.Name()] {
			return fmt.Errorf("two channels are named %s: name one of them otherwise", c.Name())
		}
		known[c.Name()] = true
	}
	return nil
}

// own are the accounts that keyturn's functions run as when they are deployed by
// cloudbuild.yaml: without one of them nothing is rotated, found or told.
func own(project string) (accounts []string) {
	for _, function := range []string{"rotate", "audit", "alert"} {
		accounts = append(accounts, "keyturn-"+function+"@"+project+".iam.gserviceaccount.com")
	}
	return accounts
}

// readAlerts reads a file, or the payload of a secret version; without a name it is
// the file that says nothing.
func readAlerts(ctx context.Context, name string, cloud *gcp.Cloud) (*alertfile.File, error) {
	if name == "" {
		return &alertfile.File{}, nil
	}
	if filepath.IsAbs(name) {
		return alertfile.Load(name, cloud.Clock()())
	}
	data, err := payload(ctx, cloud, name)
	if err != nil {
		return nil, err
	}
	return alertfile.Parse(name, data, cloud.Clock()())
}

// payload is that of a secret version by its full name.
func payload(ctx context.Context, cloud *gcp.Cloud, version string) ([]byte, error) {
	return cloud.AccessVersion(ctx, path.Dir(path.Dir(version)), path.Base(version))
}
