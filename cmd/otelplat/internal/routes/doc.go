// SPDX-License-Identifier: Apache-2.0

// Package routes shows how requests are routed: what holds for each service, and what a
// router would do with a request, and why.
package routes
