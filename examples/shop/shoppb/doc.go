// SPDX-License-Identifier: Apache-2.0

// Package shoppb holds the shop's gRPC services, generated from shop.proto:
//
//	protoc --go_out=. --go_opt=paths=source_relative \
//	  --go-grpc_out=. --go-grpc_opt=paths=source_relative shop.proto
package shoppb
