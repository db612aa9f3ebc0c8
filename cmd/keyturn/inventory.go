package main

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/notify"
	"example.com/keyturn/shared/posture"
	"example.com/keyturn/shared/survey"
	"github.com/spf13/cobra"
)

// inventoryFlags are what an inventory is told.
type inventoryFlags struct {
	folder, organization string
	unmanaged, plan      bool
	resume, format       string
	speed                int // how much faster than wall time quotas are counted; 0 has none on the embedded cloud
}

var inventoryFormats = []string{"text", "json", "csv"}

func (a *app) inventoryCommand() *cobra.Command {
	var flags inventoryFlags
	c := &cobra.Command{
		Use:   "inventory [--folder NUMBER | --organization NUMBER]",
		Short: "List every credential: how old, who uses it, who rotates it",
		Long: `inventory lists every user-managed service-account key, API key, HMAC key and
OAuth client secret of a project, or of all projects below a folder or an
organisation, worst first: how old it is, when it was last used, whether keyturn
rotates it, and where its private half is known to be. It only reads, and keeps
to half of Google's quotas. What could not be read is said: unknown is never none.

One that is interrupted leaves what it has read in a file, which holds no secret;
the same command goes on from there. docs/inventory.md explains the columns.

Exit codes: 0 the inventory was taken, though parts may be listed as not read; 1 it
could not be taken, or nothing could be read; 2 the command line was not understood.`,
		Example: "  keyturn inventory\n  keyturn inventory --unmanaged --adopt-plan\n  keyturn inventory --organization 100000000001 --json\n  keyturn inventory --format csv",
		Args:    exactArgs(),
	}
	f := c.Flags()
	f.StringVar(&flags.folder, "folder", "", "number of a folder: all projects below it")
	f.StringVar(&flags.organization, "organization", "", "number of an organisation: all projects below it")
	f.BoolVar(&flags.unmanaged, "unmanaged", false, "leave out what keyturn rotates")
	f.BoolVar(&flags.plan, "adopt-plan", false, "propose how each comes under rotation or goes, and how to do without, with the commands")
	f.StringVar(&flags.format, "format", "text", "one of "+strings.Join(inventoryFormats, ", "))
	f.StringVar(&flags.resume, "resume", "", "file to leave off in, and to go on from (default one in the user's cache directory)")
	f.IntVar(&flags.speed, "quota-speed", 0, "of 'bench inventory': how much faster than wall time quotas are counted")
	_ = f.MarkHidden("quota-speed") // it is there
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkFormat(flags.format, inventoryFormats, a.json); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		a.json = a.json || flags.format == "json"
		return a.inventory(cmd.Context(), flags)
	}
	return c
}

// inventoryReport is what 'keyturn inventory --json' prints. Its JSON is a stable
// schema.
type inventoryReport struct {
	At          time.Time         `json:"at"`
	Scope       string            `json:"scope"` // projects/P, folders/N or organizations/N
	Home        string            `json:"home"`  // id of the project of keyturn's secrets
	Summary     inventory.Summary `json:"summary"`
	Gaps        []inventory.Gap   `json:"gaps"`            // what could not be read
	Error       string            `json:"error,omitempty"` // why the exit code is 1; empty if anything could be read
	Credentials []inventoryItem   `json:"credentials"`     // worst first
}

// inventoryItem is a credential, and with --adopt-plan what to do about it.
type inventoryItem struct {
	inventory.Item
	Plan *inventory.Plan `json:"plan,omitempty"` // nil where there is nothing to do
	Ways []inventoryWay  `json:"ways,omitempty"` // how to do without; none of what keyturn rotates
}

// inventoryWay is one of the item's keyless ways.
type inventoryWay struct {
	Way   inventory.Way    `json:"way"`
	For   string           `json:"for"` // which of its users
	Steps []inventory.Step `json:"steps"`
}

func (a *app) inventory(ctx context.Context, flags inventoryFlags) error {
	scope, err := flags.scope(a.project)
	if err != nil {
		return err
	}
	connection, err := a.connection()
	if err != nil {
		return err
	}
	cloud, err := gcp.New(paced(connection, flags.speed))
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	defer cloud.Close()
	file, err := a.checkpoint(flags.resume, scope)
	if err != nil {
		return err
	}
	if began, read, ok := survey.Left(file, a.clock()()); ok {
		fmt.Fprintf(a.stderr, "going on with the inventory of %s, which had read %d projects and accounts; delete %s to begin anew\n", due(began), read, file)
	}
	progress := newProgress(a.stderr)
	snapshot, err := survey.Take(ctx, survey.Config{
		Cloud: cloud, Scope: scope, Home: a.project, Now: a.clock(), Checkpoint: file, Progress: progress,
	})
	progress.finish()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted: the same command goes on from %s: %w", file, err)
	}
	if err != nil {
		return fmt.Errorf("taking the inventory of %s: %w", scope, err)
	}
	items := inventory.Classify(snapshot)
	report := newInventoryReport(snapshot, items)
	if !snapshot.Seen() {
		err = fmt.Errorf("nothing of %s could be read: %s", scope, notify.Printable(report.Gaps[0].Next, 300))
		report.Error = err.Error()
	}
	if printErr := a.printInventory(report, flags.entries(items, snapshot.Home), flags.format); printErr != nil {
		return fmt.Errorf("printing the inventory: %w", printErr)
	}
	if err != nil {
		return shown{err}
	}
	return nil
}

// printInventory prints a report with its credentials, which it has none of itself.
func (a *app) printInventory(r inventoryReport, credentials iter.Seq[inventoryItem], format string) error {
	switch {
	case a.json:
		return printList(a, r, credentials)
	case format == "csv":
		fmt.Fprintln(a.stderr, summaryText(r))
		return writeCSV(a.stdout, inventoryColumns, inventoryRows(credentials))
	}
	out := bufio.NewWriter(a.stdout)
	writeInventory(out, r, credentials, columns(a.stdout))
	return out.Flush()
}

// paced keeps to half of the quotas of the project that calls. The embedded cloud has
// none unless a benchmark asks for them.
func paced(c gcp.Config, speed int) gcp.Config {
	c.Quotas = gcp.QuotasOfCaller
	if c.Endpoint == "" {
		return c
	}
	if speed < 1 {
		c.Quotas = gcp.QuotasByEndpoint
		return c
	}
	began, times := time.Now(), time.Duration(speed)
	c.Wire = &gcp.Wire{
		Now: func() time.Time { return began.Add(time.Since(began) * times) },
		Pause: func(ctx context.Context, d time.Duration) error {
			select {
			case <-time.After(d / times):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
	return c
}

// scope is what is to be inventoried: the project unless something larger is given.
func (f inventoryFlags) scope(project string) (string, error) {
	scope := "projects/" + project
	switch {
	case f.folder != "" && f.organization != "":
		return "", fmt.Errorf("%w: give either --folder or --organization", errUsage)
	case f.folder != "":
		scope = "folders/" + strings.TrimPrefix(f.folder, "folders/")
	case f.organization != "":
		scope = "organizations/" + strings.TrimPrefix(f.organization, "organizations/")
	case project == "":
		return scope, nil // which gcp.New complains about
	}
	if err := survey.CheckScope(scope); err != nil {
		return "", fmt.Errorf("%w: %w", errUsage, err)
	}
	return scope, nil
}

// checkpoint is the file of an interrupted inventory of the scope.
func (a *app) checkpoint(given, scope string) (string, error) {
	if given != "" {
		return given, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a place to leave off in: %w; give one by --resume", err)
	}
	name := strings.Join([]string{a.endpoint, a.project, scope}, " ")
	return filepath.Join(cache, "keyturn", "inventory", strings.NewReplacer("/", "-", ":", "-", " ", "_").Replace(strings.TrimSpace(name))+".json"), nil
}

// newInventoryReport is what there is to say beside the credentials.
func newInventoryReport(s inventory.Snapshot, items []inventory.Item) inventoryReport {
	r := inventoryReport{
		At: s.At, Scope: s.Scope, Home: s.Home, Summary: inventory.Summarise(s, items),
		Gaps: append([]inventory.Gap{}, s.Unread()...), Credentials: []inventoryItem{},
	}
	for i, g := range r.Gaps {
		if permission := posture.Permissions()[g.Part]; g.Cause == inventory.NoPermission && permission != "" {
			r.Gaps[i].Next = "grant the caller a role with " + permission + ": docs/inventory.md lists those that it takes"
		}
	}
	return r
}

// entries are those of the items that are asked for, with what to do about each.
func (f inventoryFlags) entries(items []inventory.Item, home string) iter.Seq[inventoryItem] {
	return func(yield func(inventoryItem) bool) {
		for _, i := range items {
			if f.unmanaged && i.Secret != "" && i.State == inventory.Managed {
				continue
			}
			item := inventoryItem{Item: i}
			if f.plan {
				item.propose(home)
			}
			if !yield(item) {
				return
			}
		}
	}
}

// propose adds what to do about the credential.
func (i *inventoryItem) propose(home string) {
	if plan, ok := i.Item.Plan(home); ok {
		i.Plan = &plan
	}
	if i.State == inventory.Managed {
		return
	}
	for _, w := range i.Keyless {
		i.Ways = append(i.Ways, inventoryWay{w, w.For(), i.Steps(w)})
	}
}
