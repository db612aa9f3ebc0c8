package audit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/gcp"
)

// Metrics tells what no log holds: the calls that Google refused before they were
// logged. gcp.Cloud says what each method answers.
type Metrics interface {
	Calls(ctx context.Context, project string, apiKeys []string, from, to time.Time) ([]detect.Sample, error)
	AccountKeyUses(ctx context.Context, account string, ids []string, from, to time.Time) (gcp.Uses, error)
}

// measuredFor is how far back calls are counted: what is too many is told by the
// days before.
const measuredFor = 3 * 24 * time.Hour

// measure has the detectors judge the calls that Cloud Monitoring counted until the
// last full hour, once an hour. What cannot be read keeps nobody from looking for
// abuse in what can: the log says it, and the next sweep tries again.
func (f *Function) measure(ctx context.Context, now time.Time) error {
	to := now.Truncate(time.Hour)
	if f.config.Metrics == nil || to.Equal(f.measured) {
		return nil
	}
	samples, err := f.samples(ctx, f.memory().known(), to.Add(-measuredFor), to)
	if err != nil {
		f.log.ErrorContext(ctx, "not all refused calls are known", "error", err.Error())
	} else {
		f.measured = to
	}
	return f.memory().measured(samples, f.teller(ctx))
}

// samples are what can be read, with what is wrong with the rest.
func (f *Function) samples(ctx context.Context, l *detect.Ledger, from, to time.Time) (samples []detect.Sample, err error) {
	apiKeys, ended := asked(f.config.Project, l)
	for _, project := range slices.Sorted(maps.Keys(apiKeys)) {
		calls, failure := f.config.Metrics.Calls(ctx, project, apiKeys[project], from, to)
		samples, err = append(samples, calls...), errors.Join(err, failure)
	}
	for _, account := range slices.Sorted(maps.Keys(ended)) {
		uses, failure := f.config.Metrics.AccountKeyUses(ctx, account, ended[account], from, to)
		err = errors.Join(err, failure)
		for id, of := range uses.Of {
			for _, use := range of {
				samples = append(samples, detect.Sample{Key: id, From: use.From, To: use.To, Refused: use.Count, All: use.Count})
			}
		}
	}
	return samples, err
}

// asked is what Cloud Monitoring is asked about: all calls of the function's own
// project and of those that the ledger's credentials are of, with the API keys of
// each; and of each service account (projects/P/serviceAccounts/E) the keys that do
// not work any more.
func asked(project string, l *detect.Ledger) (apiKeys, ended map[string][]string) {
	apiKeys, ended = map[string][]string{project: nil}, map[string][]string{}
	if l == nil {
		return apiKeys, ended
	}
	of := l.Ended()
	for _, s := range l.Secrets {
		_, target, _ := strings.Cut(strings.TrimPrefix(s.Target, "//"), "/") // without its service
		if p := gcp.ProjectOf(target); p != "" {
			apiKeys[p] = nil
		}
		if ids := of[s.Name]; strings.Contains(target, "/serviceAccounts/") && len(ids) > 0 {
			ended[target] = append(ended[target], ids...)
		}
	}
	for _, id := range l.IDs() {
		if p := gcp.ProjectOf(id); p != "" {
			apiKeys[p] = append(apiKeys[p], id)
		}
	}
	return apiKeys, ended
}
