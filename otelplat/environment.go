// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
)

// EnvironmentError says which variable holds what this package cannot use.
type EnvironmentError struct {
	Variable string
	Value    string
	Accepted []string
}

func (e *EnvironmentError) Error() string {
	return fmt.Sprintf("otelplat: %s=%q: want %s", e.Variable, e.Value, strings.Join(e.Accepted, ", "))
}

// Exporters that OTEL_*_EXPORTER may name.
const (
	exporterOTLP    = "otlp"
	exporterConsole = "console"
	exporterNone    = "none"
)

// Protocols that OTEL_EXPORTER_OTLP_PROTOCOL may name.
const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"
)

// environment is what the OTEL_* variables say that the Go SDK does not read.
type environment struct {
	disabled bool
	traces   signalConfig
	metrics  signalConfig
	logs     signalConfig
	level    slog.Level
}

// signalConfig is where the telemetry of one signal goes.
type signalConfig struct {
	name      string // TRACES, METRICS, LOGS
	exporters []string
	protocol  string
}

func (s *signalConfig) has(exporter string) bool { return slices.Contains(s.exporters, exporter) }

func readEnvironment() (environment, error) {
	// The specification: only "true", in any case, disables; anything else is false.
	env := environment{disabled: strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true")}
	var err error
	for _, s := range []struct {
		name string
		to   *signalConfig
	}{{"TRACES", &env.traces}, {"METRICS", &env.metrics}, {"LOGS", &env.logs}} {
		if *s.to, err = readSignal(s.name); err != nil {
			return environment{}, err
		}
	}
	env.level, err = readLevel()
	return env, err
}

func readSignal(name string) (signalConfig, error) {
	s := signalConfig{name: name}
	variable := "OTEL_" + name + "_EXPORTER"
	for exporter := range strings.SplitSeq(cmp.Or(os.Getenv(variable), exporterOTLP), ",") {
		switch exporter = strings.TrimSpace(exporter); exporter {
		case exporterOTLP, exporterConsole:
			s.exporters = append(s.exporters, exporter)
		case exporterNone:
		case "logging": // the old name of console
			s.exporters = append(s.exporters, exporterConsole)
		default:
			return s, &EnvironmentError{variable, exporter, []string{exporterOTLP, exporterConsole, exporterNone}}
		}
	}
	variable = "OTEL_EXPORTER_OTLP_" + name + "_PROTOCOL"
	s.protocol = os.Getenv(variable)
	if s.protocol == "" {
		variable = "OTEL_EXPORTER_OTLP_PROTOCOL"
		s.protocol = cmp.Or(os.Getenv(variable), protocolHTTP)
	}
	if s.protocol != protocolGRPC && s.protocol != protocolHTTP {
		return s, &EnvironmentError{variable, s.protocol, []string{protocolGRPC, protocolHTTP}}
	}
	return s, nil
}

// levelNone is above every level.
const levelNone = slog.Level(1 << 10)

func readLevel() (slog.Level, error) {
	value := os.Getenv("OTEL_LOG_LEVEL")
	switch strings.ToLower(value) {
	case "", "info":
		return slog.LevelInfo, nil
	case "debug", "verbose", "all", "trace":
		return slog.LevelDebug, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error", "fatal":
		return slog.LevelError, nil
	case "none", "off":
		return levelNone, nil
	}
	return 0, &EnvironmentError{"OTEL_LOG_LEVEL", value, []string{"debug", "info", "warn", "error", "none"}}
}

// forSignal reads OTEL_EXPORTER_OTLP_<SIGNAL>_<name>, else OTEL_EXPORTER_OTLP_<name>.
func forSignal(signal, name string) string {
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_"+name), os.Getenv("OTEL_EXPORTER_OTLP_"+name))
}
