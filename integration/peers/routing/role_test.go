// SPDX-License-Identifier: Apache-2.0

package routing_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// The test's own binary is the servers and the clients too, by this variable.
const roleVariable = "OTELPLAT_ROUTING_ROLE"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleVariable) {
	case "server":
		err = serverMain()
	case "client":
		err = clientMain()
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Getenv(roleVariable)+":", err)
		os.Exit(1)
	}
}

// process is a child that is talked to in lines of JSON, and ends when its standard input does.
type process struct {
	cmd *exec.Cmd
	in  *json.Encoder
	end io.Closer
	out *json.Decoder
}

// start starts a child in a role; configured is the first line that it gets.
func start(t testing.TB, role string, configured any) *process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable)
	// One thread each: twenty schedulers that look for work would be the load of two CPUs.
	cmd.Env = append(os.Environ(), roleVariable+"="+role, "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, in: json.NewEncoder(in), end: in, out: json.NewDecoder(bufio.NewReader(out))}
	t.Cleanup(p.stop)
	p.tell(t, configured)
	return p
}

func (p *process) tell(t testing.TB, v any) {
	t.Helper()
	if err := p.in.Encode(v); err != nil {
		t.Fatalf("a child does not listen: %v", err)
	}
}

func (p *process) hear(t testing.TB, v any) {
	t.Helper()
	if err := p.out.Decode(v); err != nil {
		t.Fatalf("a child does not answer: %v", err)
	}
}

// stop ends the child. It may be called twice.
func (p *process) stop() {
	_ = p.end.Close()
	_ = p.cmd.Wait()
}

// stdout is the way back to the parent: one line at a time, from any goroutine.
type stdout struct {
	mu sync.Mutex
	to *json.Encoder
}

func newStdout() *stdout { return &stdout{to: json.NewEncoder(os.Stdout)} }

func (s *stdout) say(v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to.Encode(v)
}
