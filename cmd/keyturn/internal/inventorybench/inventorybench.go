// Package inventorybench measures 'keyturn inventory': how close it comes to
// Google's quotas, how much memory it takes, and what being killed costs it.
package inventorybench

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Config says what is measured. All fields are required.
type Config struct {
	Accounts int // service accounts
	Keys     int // of each, at most 10
	Speed    int // how much faster than wall time quotas are counted, in the cloud and in keyturn alike
	Progress Progress
}

// Progress is told how far a measurement is.
type Progress interface {
	Stage(name string, total int)
	Advance(done int)
}

// Result is what was measured. Its JSON is a stable schema.
type Result struct {
	Accounts     int     `json:"accounts"`
	Keys         int     `json:"keys"`          // that there are
	Found        int     `json:"found"`         // that the inventory lists
	Calls        int     `json:"calls"`         // of IAM's reading methods, both runs together
	Repeated     int     `json:"repeated"`      // lists of an account's keys that were asked for again, because the first run was killed
	KilledAfter  int     `json:"killed_after"`  // lists of keys
	MaxPerMinute int     `json:"max_per_min"`   // IAM reads in any minute of the quota's time
	HalfQuota    int     `json:"half_quota"`    // of IAM reads a minute
	QuotaMinutes float64 `json:"quota_minutes"` // both runs, in the quota's time
	PeakMB       float64 `json:"peak_mb"`       // of the larger of the two runs; the embedded cloud is another process
	Seconds      float64 `json:"seconds"`       // both runs, in wall time
}

// The goal for memory: what an inventory of so many keys may have at the peak.
const (
	goalKeys = 30_000
	goalMB   = 200
)

// Met reports whether the inventory found all, within half of the quota and within
// its memory.
func (r Result) Met() bool {
	return r.Found == r.Keys && r.MaxPerMinute <= r.HalfQuota && (r.Keys > goalKeys || r.PeakMB < goalMB)
}

const project = "bench"

// Run has one inventory killed in the middle, and another one go on.
func Run(ctx context.Context, c Config) (r Result, err error) {
	r = Result{Accounts: c.Accounts, Keys: c.Accounts * c.Keys, HalfQuota: localgcp.GoogleQuotas()["iam.googleapis.com"]["Read requests"] / 2}
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return r, err
	}
	meter := newMeter(c.Speed)
	cloud, err := localgcp.Start(localgcp.Config{
		Addr: "127.0.0.1:0", ProjectID: project, Clock: clock.New(), Quotas: localgcp.GoogleQuotas(), Wall: meter.now,
		Pair: func() (*rsa.PrivateKey, error) { return pair, nil },
	})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, cloud.Close()) }()
	c.Progress.Stage("making accounts", c.Accounts)
	if err := populate(ctx, c, cloud.Addr()); err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp("", "keyturn-inventory-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return r, r.measure(ctx, c, cloud, meter, filepath.Join(dir, "left.json"))
}

func (r *Result) measure(ctx context.Context, c Config, cloud *localgcp.Cloud, meter *meter, file string) error {
	half := meter.watch(cloud, c.Accounts/2, func(lists int) { c.Progress.Advance(min(lists, c.Accounts)) })
	c.Progress.Stage("inventory, killed halfway", c.Accounts)
	began := time.Now()
	first, err := r.inventory(ctx, c, cloud.Addr(), file, half)
	if err != nil || first != nil {
		return errors.Join(err, errors.New("the first inventory ended before it could be killed"))
	}
	r.KilledAfter = meter.lists()
	c.Progress.Stage("inventory, going on", c.Accounts)
	out, err := r.inventory(ctx, c, cloud.Addr(), file, nil)
	if err != nil {
		return err
	}
	r.Seconds = time.Since(began).Seconds()
	r.QuotaMinutes = r.Seconds * float64(c.Speed) / 60
	r.Calls, r.MaxPerMinute, r.Repeated = meter.calls(), meter.busiest(), meter.lists()-c.Accounts
	var report struct {
		Summary struct{ Credentials int }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return fmt.Errorf("reading what the inventory wrote: %w", err)
	}
	r.Found = report.Summary.Credentials
	return nil
}

// inventory runs one in a process of its own, which is killed once kill is closed;
// then there is no output.
func (r *Result) inventory(ctx context.Context, c Config, addr, file string, kill <-chan struct{}) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "inventory", "--endpoint", addr, "--project", project, "--json", "--resume", file, "--quota-speed", strconv.Itoa(c.Speed))
	out := filepath.Join(filepath.Dir(file), "out.json")
	if cmd.Stdout, err = os.Create(out); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	looks := time.NewTicker(10 * time.Millisecond)
	defer looks.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return nil, fmt.Errorf("running keyturn inventory: %w", err)
			}
			return os.ReadFile(out)
		case <-kill:
			err := cmd.Process.Kill()
			<-ended // with the error of a process that was killed on purpose
			return nil, err
		case <-looks.C:
			r.PeakMB = max(r.PeakMB, peakMB(cmd.Process.Pid))
		}
	}
}

// peakMB is the most memory that a process has had so far; 0 if it cannot be told.
// What the system accounts to a child is no help: it begins with its parent's.
func peakMB(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kB float64
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		return 0
	}
	return kB / 1024
}

// populate makes the accounts and their keys.
func populate(ctx context.Context, c Config, addr string) error {
	client, err := iam.NewIamClient(ctx, option.WithEndpoint(addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		return err
	}
	defer client.Close()
	var made sync.Mutex
	count := 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range c.Accounts {
		group.Go(func() error {
			a, err := client.CreateServiceAccount(ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/" + project, AccountId: fmt.Sprintf("bot-%06d", i)})
			for n := 0; err == nil && n < c.Keys; n++ {
				_, err = client.CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{Name: a.GetName()})
			}
			made.Lock()
			defer made.Unlock()
			count++
			c.Progress.Advance(count)
			return err
		})
	}
	return group.Wait()
}
