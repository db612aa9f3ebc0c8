package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	built := ", built with " + runtime.Version() + " for " + runtime.GOOS + "/" + runtime.GOARCH
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-03-01T00:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}}
	if got, want := thisBuild(info, true).String(), "keyturn v1.2.3, revision abc of 2026-03-01T00:00:00Z, modified"+built; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := thisBuild(nil, false).String(), "keyturn unknown"+built; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
