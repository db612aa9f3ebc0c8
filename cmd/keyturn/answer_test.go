package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/cmd/keyturn/internal/abuse"
	"example.com/keyturn/cmd/keyturn/internal/bench"
	"example.com/keyturn/cmd/keyturn/internal/coldstart"
	"example.com/keyturn/cmd/keyturn/internal/demo"
	"example.com/keyturn/cmd/keyturn/internal/inventorybench"
	"example.com/keyturn/cmd/keyturn/internal/replay"
	"example.com/keyturn/cmd/keyturn/internal/scanbench"
	"example.com/keyturn/cmd/keyturn/internal/sim"
	"example.com/keyturn/cmd/keyturn/internal/storm"
	"example.com/keyturn/cmd/keyturn/internal/streambench"
	"example.com/keyturn/functions/alert"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/explanation"
	"example.com/keyturn/shared/posture"
	"github.com/spf13/cobra"
)

// answers are what commands write with --json when they succeed, by the command's path
// below keyturn. One that does several things has several.
var answers = map[string][]reflect.Type{
	"adopt":            {reflect.TypeFor[rotate.Report]()},
	"alerts ack":       {reflect.TypeFor[alert.Standing]()},
	"alerts check":     {reflect.TypeFor[checkReport]()},
	"alerts list":      {reflect.TypeFor[alert.Overview]()},
	"alerts resolve":   {reflect.TypeFor[alert.Standing]()},
	"alerts show":      {reflect.TypeFor[alert.Standing]()},
	"alerts silence":   {reflect.TypeFor[alert.Silenced]()},
	"alerts start":     {reflect.TypeFor[alert.Responses]()},
	"alerts stop":      {reflect.TypeFor[alert.Responses]()},
	"alerts test":      {reflect.TypeFor[alert.Tested]()},
	"alerts unsilence": {reflect.TypeFor[alert.Silenced]()},
	"apply":            {reflect.TypeFor[applied]()},
	"audit detectors":  {reflect.TypeFor[detectorList]()},
	"audit ledger":     {reflect.TypeFor[detect.Ledger]()},
	"audit replay":     {reflect.TypeFor[replay.Result]()},
	"bench coldstart":  {reflect.TypeFor[coldstart.Result]()},
	"bench detect":     {reflect.TypeFor[abuse.Result]()},
	"bench downtime":   {reflect.TypeFor[bench.DowntimeResult]()},
	"bench inventory":  {reflect.TypeFor[inventorybench.Result]()},
	"bench rotate":     {reflect.TypeFor[bench.RotateResult]()},
	"bench scan":       {reflect.TypeFor[scanbench.Result]()},
	"bench sim":        {reflect.TypeFor[sim.Result](), reflect.TypeFor[sim.Story]()},
	"bench storm":      {reflect.TypeFor[storm.Result]()},
	"bench stream":     {reflect.TypeFor[streambench.Result]()},
	"demo":             {reflect.TypeFor[demo.Result]()},
	"doctor":           {reflect.TypeFor[doctorReport]()},
	"explain":          {reflect.TypeFor[explanation.Explanation]()},
	"history":          {reflect.TypeFor[credentialHistory]()},
	"inventory":        {reflect.TypeFor[inventoryReport]()},
	"local":            {reflect.TypeFor[localWorld]()},
	"local advance":    {reflect.TypeFor[localTime]()},
	"local attack":     {reflect.TypeFor[attacked]()},
	"local env":        {reflect.TypeFor[map[string]string]()},
	"posture":          {reflect.TypeFor[posture.Report]()},
	"pause":            {reflect.TypeFor[rotate.Report]()},
	"plan":             {reflect.TypeFor[planned]()},
	"release":          {reflect.TypeFor[rotate.Report]()},
	"resume":           {reflect.TypeFor[rotate.Report]()},
	"revoke":           {reflect.TypeFor[rotate.Report]()},
	"rollback":         {reflect.TypeFor[rotate.Report]()},
	"rotate":           {reflect.TypeFor[rotate.Report]()},
	"rollout advance":  {reflect.TypeFor[rolloutReport]()},
	"rollout hold":     {reflect.TypeFor[rolloutReport]()},
	"schedule apply":   {reflect.TypeFor[scheduleReport]()},
	"schedule diff":    {reflect.TypeFor[scheduleReport]()},
	"schedule prune":   {reflect.TypeFor[scheduleReport]()},
	"setup":            {reflect.TypeFor[setupReport]()},
	"status":           {reflect.TypeFor[statusList](), reflect.TypeFor[rotate.Report]()},
	"version":          {reflect.TypeFor[build]()},
}

// TestEveryCommandHasAnAnswer that is written down, and no other has.
func TestEveryCommandHasAnAnswer(t *testing.T) {
	var paths []string
	for _, c := range commands((&app{}).root()) {
		if path := pathOf(c); c.Runnable() && !c.Hidden && !c.HasSubCommands() && !slices.Contains([]string{"completion"}, path) || path == "local" {
			paths = append(paths, path)
		}
	}
	for _, path := range paths {
		if answers[path] == nil {
			t.Errorf("what 'keyturn %s --json' writes is not in answers (answer_test.go)", path)
		}
	}
	for path := range answers {
		if !slices.Contains(paths, path) {
			t.Errorf("there is no command %q", path)
		}
	}
}

func pathOf(c *cobra.Command) string {
	_, path, _ := strings.Cut(c.CommandPath(), " ")
	return path
}

// checkAnswer reports why what a command wrote with --json, when it exited with code,
// is not what is written down of it.
func checkAnswer(args []string, code string, stdout string) error {
	root := (&app{}).root()
	c, _, err := root.Find(args)
	if err != nil || stdout == "" {
		return nil // of what is not understood the scripts check the error
	}
	if answers[pathOf(c)] == nil && code == "0" {
		return fmt.Errorf("what 'keyturn %s --json' writes is not in answers (answer_test.go)", pathOf(c))
	}
	var problems []string
	for _, t := range append(slices.Clone(answers[pathOf(c)]), reflect.TypeFor[failed]()) {
		err := fits(stdout, t)
		if err == nil && (t != reflect.TypeFor[failed]() || code != "0") {
			return nil
		}
		problems = append(problems, fmt.Sprintf("%v: %v", t, err))
	}
	return fmt.Errorf("'keyturn %s' wrote what is none of: %s", strings.Join(args, " "), strings.Join(problems, "; "))
}

// failed is what any command writes that could not do anything.
type failed struct {
	Error string `json:"error"` // what happened, why, and the next step
}

// fits decodes an answer, beside which there may be an error, into a type that has all
// of its fields.
func fits(answer string, t reflect.Type) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(answer), &object); err != nil {
		return err
	}
	if t != reflect.TypeFor[failed]() && len(object) > 1 {
		delete(object, "error")
	}
	rest, err := json.Marshal(object)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(rest))
	dec.DisallowUnknownFields()
	return dec.Decode(reflect.New(t).Interface())
}

func TestAnswersThatDoNotFitAreNoticed(t *testing.T) {
	for _, tt := range []struct {
		args, code, stdout string
		ok                 bool
	}{
		{"status --json", "0", `{"credentials":[]}`, true},
		{"status billing-key --json", "0", `{"secret":"s"}`, true},
		{"status --json", "1", `{"error":"no"}`, true},
		{"status --json", "0", `{"error":"no"}`, false},
		{"status --json", "0", `{"credentials":[{"secrets":"s"}]}`, false},
		{"status --json", "0", `{"credentials":7}`, false},
		{"revoke billing-key --json", "1", `{"secret":"s","error":"later"}`, true},
		{"version --json", "0", `[]`, false},
	} {
		if err := checkAnswer(strings.Fields(tt.args), tt.code, tt.stdout); (err == nil) != tt.ok {
			t.Errorf("%s: %s: %v", tt.args, tt.stdout, err)
		}
	}
}
