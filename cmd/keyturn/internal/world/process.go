package world

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"time"

	"example.com/keyturn/internal/granted"
	"example.com/keyturn/internal/localgcp/run/instance"
	"example.com/keyturn/shared/deployment"
)

// startUp is how long the functions may take until they listen.
const startUp = 20 * time.Second

// launch starts a process and returns once it listens at addr.
func (c Config) launch(ctx context.Context, addr, gcpAddr string) (process, error) {
	cmd, err := c.command(addr, gcpAddr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startUp)
	defer cancel()
	p, err := instance.Start(ctx, cmd, addr)
	if err != nil {
		return nil, fmt.Errorf("starting the functions: %w", err)
	}
	return p, nil
}

// trusted are the variables that say whose certificates receivers may have
// (pkg.go.dev/crypto/x509#SystemCertPool), such as those of a company's own authority.
var trusted = []string{"SSL_CERT_FILE", "SSL_CERT_DIR"}

// command is how keyturn's program is run to serve the functions.
func (c Config) command(addr, gcpAddr string) (*exec.Cmd, error) {
	program, name := c.Program, c.Program
	if program == "" {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("finding keyturn's own program to serve the functions: %w", err)
		}
		program, name = exe, os.Args[0]
	}
	env := []string{"HOME=" + os.Getenv("HOME")}
	for name, value := range c.variables(gcpAddr) {
		env = append(env, name+"="+value)
	}
	for _, name := range trusted {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return &exec.Cmd{
		Path: program, Args: []string{name, "functions", "--addr", addr},
		Env: env, Stdout: c.FunctionLogs, Stderr: c.FunctionLogs,
	}, nil
}

// variables are what the functions are told; empty ones are left out.
func (c Config) variables(gcpAddr string) map[string]string {
	site := siteOf(c.Project)
	all := map[string]string{
		"KEYTURN_PROJECT": c.Project, "KEYTURN_REGION": Region, "KEYTURN_ENDPOINT": gcpAddr, "KEYTURN_WEBHOOK_URL": c.WebhookURL,
		"KEYTURN_ALERTS": c.Alerts, "KEYTURN_STATE": c.State, "FIRESTORE_EMULATOR_HOST": c.Firestore,
		"KEYTURN_SEAL_COMMANDS": site.Expand(deployment.Version(deployment.SealCommands)),
		"KEYTURN_SEAL_FINDINGS": site.Expand(deployment.Version(deployment.SealFindings)),
	}
	if c.Timeout != 0 {
		all["KEYTURN_TIMEOUT"] = c.Timeout.String()
	}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

func siteOf(project string) deployment.Site { return granted.On(project, Region) }
