package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build says which keyturn this is. Its JSON is a stable schema.
type build struct {
	Version  string `json:"version"`            // of the module; "(devel)" where it was built from a checkout
	Revision string `json:"revision,omitempty"` // of the checkout
	Time     string `json:"time,omitempty"`     // of the revision, RFC 3339
	Modified bool   `json:"modified,omitempty"` // whether the checkout differed from the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which version of keyturn this is",
		Example: "  keyturn version\n  keyturn version --json",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild(debug.ReadBuildInfo())
			return a.printReport(b, b.String(), nil)
		},
	}
}

func thisBuild(info *debug.BuildInfo, ok bool) build {
	b := build{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if !ok {
		return b
	}
	b.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b build) String() string {
	text := "keyturn " + b.Version
	if b.Revision != "" {
		text += fmt.Sprintf(", revision %s of %s", b.Revision, b.Time)
	}
	if b.Modified {
		text += ", modified"
	}
	return fmt.Sprintf("%s, built with %s for %s", text, b.Go, b.Platform)
}
