package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"example.com/keyturn/shared/deployment"
)

// carryOut does what is to be done, group by group, and stops at the first failure.
func (s *settingUp) carryOut(ctx context.Context, in io.Reader, set deployment.Setup, groups []deployment.Group, r *setupReport) error {
	sh, err := s.shell()
	if err != nil {
		return err
	}
	if s.undo && !s.yes {
		question := fmt.Sprintf("This takes keyturn's topics, accounts, roles and seals in project %s away.\nType the project's id to do it: ", s.project)
		if err := s.ask(ctx, in, question, s.project, "the project's id"); err != nil {
			return err
		}
	}
	progress := newProgress(s.stderr)
	progress.Stage("setup", len(groups))
	for i := 0; i < len(groups) && err == nil; i++ {
		err = r.do(ctx, sh, groups[i], &r.Groups[i])
		progress.Advance(i + 1)
	}
	progress.finish()
	set.Number = sh.found[deployment.NumberRead]
	r.tellCI(set)
	return s.printReport(r, r.outcome(err), err)
}

// do carries one group out.
func (r *setupReport) do(ctx context.Context, sh *shell, g deployment.Group, report *setupGroup) error {
	if g.If != "" && sh.found[g.If] == "" {
		if g.Wait != "" {
			r.Waiting = append(r.Waiting, g.Wait)
		}
		for i := range report.Steps {
			report.Steps[i].Result = "waits"
		}
		return nil
	}
	for _, reading := range g.Readings {
		out, err := sh.run(ctx, reading.Command)
		if err != nil {
			return r.stopped(ctx, fmt.Errorf("looking at %s: %w", g.Title, err))
		}
		sh.found[reading.Name] = strings.TrimRight(out, "\n")
	}
	for i, step := range g.Steps {
		report.Steps[i].Makes = sh.found.Fill(step.Makes)
		result := "nothing-to-do"
		if step.Needed(g, sh.found) {
			result = map[bool]string{false: "made", true: "gone"}[r.Undo]
			for _, command := range step.Commands {
				if _, err := sh.run(ctx, command); err != nil {
					report.Steps[i].Result = "failed"
					return r.stopped(ctx, fmt.Errorf("%s: %w", step.Makes, err))
				}
			}
		}
		report.Steps[i].Result = result
	}
	return nil
}

// stopped says how to go on after what went wrong.
func (r *setupReport) stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %s; run it again to go on", r.tally())
	}
	return fmt.Errorf("%w\n%s; mend that and run it again: what is as it should be is left alone", err, r.tally())
}

func (r *setupReport) count(result string) (n int) {
	for _, g := range r.Groups {
		for _, step := range g.Steps {
			if step.Result == result {
				n++
			}
		}
	}
	return n
}

func (r *setupReport) tally() string {
	return fmt.Sprintf("%s, %d as it should be already", counted(r.count("made")+r.count("gone"), "change was made", "changes were made"), r.count("nothing-to-do"))
}

// outcome is what came of it, for people.
func (r *setupReport) outcome(err error) string {
	var lines []string
	for _, g := range r.Groups {
		for _, step := range g.Steps {
			if sign := map[string]string{"made": "+", "gone": "-"}[step.Result]; sign != "" {
				lines = append(lines, sign+" "+step.Makes)
			}
		}
	}
	switch {
	case err != nil: // which says the rest
		return strings.Join(lines, "\n")
	case len(lines) == 0:
		lines = append(lines, "nothing to do: all is as it should be")
	default:
		lines = append(lines, r.tally())
	}
	for _, w := range r.Waiting {
		lines = append(lines, "not yet: "+w)
	}
	if len(r.Waiting) > 0 {
		lines = append(lines, "next: deploy, and run this again")
	}
	for _, note := range r.notes() {
		lines = append(lines, strings.TrimSuffix(note, "\n"))
	}
	return strings.Join(lines, "\n")
}

// shell runs commands that go by what was found before.
type shell struct {
	env   []string
	found deployment.Found
}

// shell is one whose gcloud goes where keyturn goes.
func (s *settingUp) shell() (*shell, error) {
	for _, program := range []string{"sh", "gcloud", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("running the commands: %w; leave --apply out, and run what is printed where they all are, such as in Cloud Shell", err)
		}
	}
	sh := &shell{env: os.Environ(), found: deployment.Found{}}
	if s.impersonate != "" {
		sh.env = append(sh.env, "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT="+s.impersonate)
	}
	sh.env = append(sh.env, "CLOUDSDK_CORE_DISABLE_PROMPTS=1")
	if s.endpoint == "" {
		return sh, nil
	}
	env, err := environment(s.endpoint, s.project)
	if err != nil {
		return nil, err
	}
	for name, value := range env {
		if name != "CLOUDSDK_CONFIG" || os.Getenv(name) == "" { // those who have one have it for this
			sh.env = append(sh.env, name+"="+value)
		}
	}
	return sh, nil
}

// farewell is how long a command that was interrupted may take to end.
const farewell = 5 * time.Second

// run runs a command, and returns what it prints.
func (sh *shell) run(ctx context.Context, command string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-euc", command)
	cmd.Env, cmd.WaitDelay = sh.env, farewell
	for name, value := range sh.found {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w", command, errors.Join(err, said(errs.String())))
	}
	return out.String(), nil
}

// said is what a command wrote on standard error, as far as it says what went wrong.
func said(text string) error {
	const most = 2000
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	return errors.New(text[:min(len(text), most)])
}
