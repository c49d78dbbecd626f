// SPDX-License-Identifier: Apache-2.0

package supervise_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/otelplat/platform/cmd/otelplat/internal/supervise"
)

// The test binary is also the children: the first argument says which.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "obedient": // ends when it is asked to
			ctx, cancel := supervise.Attach(context.Background(), os.Stdin)
			defer cancel()
			if len(os.Args) > 2 {
				_ = os.WriteFile(os.Args[2], nil, 0o600)
			}
			<-ctx.Done()
			fmt.Println("good bye")
			return
		case "deaf": // never reads its lifeline
			for {
				time.Sleep(time.Hour) // select {} alone is a deadlock, which ends the program
			}
		case "stuck": // notices, and then hangs
			ctx, cancel := supervise.Attach(context.Background(), os.Stdin)
			defer cancel()
			<-ctx.Done()
			select {}
		case "broken":
			fmt.Println("listen: the port is taken")
			os.Exit(3)
		case "parent": // starts children, prints their ids, waits to be killed
			parent(os.Args[2])
			return
		}
	}
	goleak.VerifyTestMain(m)
}

func parent(dir string) {
	pids := make(chan int, 8)
	g, err := supervise.New(dir, func(e supervise.Event) { pids <- e.PID })
	if err != nil {
		panic(err)
	}
	for _, kind := range []string{"obedient", "stuck"} {
		if err := g.Start(context.Background(), supervise.Spec{Name: kind, Args: []string{kind}}); err != nil {
			panic(err)
		}
		fmt.Println(<-pids)
	}
	select {}
}

func newGroup(t *testing.T, events func(supervise.Event)) (*supervise.Group, string) {
	t.Helper()
	dir := t.TempDir()
	if events == nil {
		events = func(supervise.Event) {}
	}
	g, err := supervise.New(dir, events)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Stop)
	return g, dir
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil && !zombie(pid) }

// zombie says whether a process only waits for somebody to take its status: a
// container without an init leaves orphans so.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

func eventually(t *testing.T, within time.Duration, ok func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(within); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("after %v: not %s", within, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAKilledParentLeavesNoProcess(t *testing.T) {
	cmd := exec.Command(os.Args[0], "parent", t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) < 2 && lines.Scan(); {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("the parent printed %q", lines.Text())
		}
		pids = append(pids, pid)
	}
	if len(pids) != 2 || !alive(pids[0]) || !alive(pids[1]) {
		t.Fatalf("children %v, want two that live", pids)
	}
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	eventually(t, time.Second, func() bool { return !alive(pids[0]) }, "gone: the child that reads its lifeline")
	eventually(t, 5*time.Second, func() bool { return !alive(pids[1]) }, "gone: the child that hangs while it stops")
}

func TestStopAsksThenKills(t *testing.T) {
	pids := make(chan int, 2)
	g, dir := newGroup(t, func(e supervise.Event) {
		if e.Kind != supervise.Ready {
			t.Errorf("%s %s: %v", e.Name, e.Kind, e.Err)
			return
		}
		pids <- e.PID
	})
	for _, kind := range []string{"obedient", "deaf"} {
		if err := g.Start(t.Context(), supervise.Spec{Name: kind, Args: []string{kind}}); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	g.Stop()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("stop took %v", took)
	}
	for range 2 {
		if pid := <-pids; alive(pid) {
			t.Errorf("process %d lives", pid)
		}
	}
	log, err := os.ReadFile(filepath.Join(dir, "obedient.log"))
	if err != nil || !strings.Contains(string(log), "good bye") {
		t.Errorf("log %q, %v: want the child's last words", log, err)
	}
	info, err := os.Stat(filepath.Join(dir, "obedient.log"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("log has mode %v, %v", info.Mode(), err)
	}
}

func TestAChildThatNeverStartsSaysWhy(t *testing.T) {
	g, _ := newGroup(t, nil)
	err := g.Start(t.Context(), supervise.Spec{
		Name: "db", Args: []string{"broken"},
		Ready: func(context.Context) error { return errors.New("no") },
	})
	var failed *supervise.StartError
	if !errors.As(err, &failed) || failed.Attempt != supervise.StartAttempts {
		t.Fatalf("got %v, want a StartError after %d attempts", err, supervise.StartAttempts)
	}
	if want := "db does not start: listen: the port is taken"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestAChildThatDiesIsStartedAgain(t *testing.T) {
	events := make(chan supervise.Event, 8)
	g, dir := newGroup(t, func(e supervise.Event) { events <- e })
	mark := filepath.Join(dir, "mark")
	err := g.Start(t.Context(), supervise.Spec{
		Name: "shop", Args: []string{"obedient", mark},
		Ready: func(context.Context) error { _, err := os.Stat(mark); return err },
	})
	if err != nil {
		t.Fatal(err)
	}
	first := <-events
	if err := os.Remove(mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if died := <-events; died.Kind != supervise.Died || died.Err == nil || died.Again <= 0 {
		t.Fatalf("got %+v, want its death with a reason", died)
	}
	if again := <-events; again.Kind != supervise.Ready || again.PID == first.PID {
		t.Fatalf("got %+v, want another process that is ready", again)
	}
}

func TestAHeldChildComesBack(t *testing.T) {
	events := make(chan supervise.Event, 8)
	g, _ := newGroup(t, func(e supervise.Event) { events <- e })
	if err := g.Hold("etcd", time.Second); err == nil {
		t.Error("a child that there is not was held")
	}
	if err := g.Start(t.Context(), supervise.Spec{Name: "etcd", Args: []string{"obedient"}}); err != nil {
		t.Fatal(err)
	}
	first := <-events
	if err := g.Hold("etcd", 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if held := <-events; held.Kind != supervise.Held || held.Again != 50*time.Millisecond {
		t.Fatalf("got %+v, want that it is held", held)
	}
	if alive(first.PID) {
		t.Error("it is announced as held, and lives")
	}
	if again := <-events; again.Kind != supervise.Ready || again.PID == first.PID {
		t.Fatalf("got %+v, want another process that is ready", again)
	}
}
