// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
)

// The test's own binary is the generator and the sink too, by this variable.
const roleVariable = "OTELPLAT_PIPELINE_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "sink":
		sink()
	case "generator":
		generator()
	default:
		os.Exit(m.Run())
	}
}

// raw passes messages as the bytes that they are, so that neither side of the collector
// spends time on them.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

const export = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// sink takes whatever comes, and prints its address first. A line on its standard input
// asks how many bytes it took; the end of that ends it.
func sink() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	var taken atomic.Int64
	s := grpc.NewServer(grpc.ForceServerCodecV2(raw{}), grpc.MaxRecvMsgSize(64<<20), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		var message, empty []byte
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		taken.Add(int64(len(message)))
		return stream.SendMsg(&empty)
	}))
	go func() { _ = s.Serve(l) }() // until the process ends
	fmt.Println(l.Addr())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(taken.Load())
	}
}

// generator sends the batch in OTELPLAT_PIPELINE_BATCH to OTELPLAT_PIPELINE_TARGET, as
// often as each line of its standard input says, on four streams at once, and answers each
// line when all was taken.
func generator() {
	batch, err := os.ReadFile(os.Getenv("OTELPLAT_PIPELINE_BATCH"))
	if err != nil {
		panic(err)
	}
	conn, err := grpc.NewClient(os.Getenv("OTELPLAT_PIPELINE_TARGET"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if token := os.Getenv("OTELPLAT_PIPELINE_TOKEN"); token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			panic(err)
		}
		var left atomic.Int64
		left.Store(int64(n))
		var failed atomic.Pointer[error]
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				var answer []byte
				for left.Add(-1) >= 0 {
					call, cancel := context.WithTimeout(ctx, 30*time.Second)
					err := conn.Invoke(call, export, &batch, &answer, grpc.ForceCodecV2(raw{}), grpc.WaitForReady(true))
					if cancel(); err != nil {
						failed.Store(&err)
						return
					}
				}
			})
		}
		wg.Wait()
		if err := failed.Load(); err != nil {
			fmt.Println("failed:", *err)
		} else {
			fmt.Println("done")
		}
	}
}

// process is one of the roles, with lines to ask and to be answered.
type process struct {
	cmd   *exec.Cmd
	in    *bufio.Writer
	lines *bufio.Scanner
}

func start(b testing.TB, role string, env ...string) *process {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), roleVariable+"="+role), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // which the end of its input ends
	})
	return &process{cmd, bufio.NewWriter(in), bufio.NewScanner(out)}
}

// line returns the next line that the process prints.
func (p *process) line(b testing.TB) string {
	b.Helper()
	if !p.lines.Scan() {
		b.Fatalf("a process ended: %v", p.lines.Err())
	}
	return strings.TrimSpace(p.lines.Text())
}

// ask writes a line and returns the answer.
func (p *process) ask(b testing.TB, what string) string {
	b.Helper()
	if _, err := p.in.WriteString(what + "\n"); err != nil {
		b.Fatal(err)
	}
	if err := p.in.Flush(); err != nil {
		b.Fatal(err)
	}
	return p.line(b)
}
