/* Who we are to Azure's Blob Storage, in this order: the account's key, a signature (SAS), both
 * also in a connection string; a service principal's secret or federated token; a managed identity
 * of App Service, of a machine or a node. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_AZURE_AUTH_H
#define OBJECT_AZURE_AUTH_H

#include "object/cloud.h"

struct azure_auth;

/* Owner: azure_auth_free(); cloud is borrowed. */
enum st azure_auth_new(struct cloud *cloud, const char *account, struct azure_auth **ret_auth,
                       struct err *err) MUST_USE;
void azure_auth_free(struct azure_auth *a); /* NULL is fine */

/* The connection string's BlobEndpoint; "" none. */
void azure_auth_endpoint(struct cloud *cloud, char *ret, size_t size);

/* Append what authorizes the request: to its headers, or to its URL, which has a '?' if has_query.
 */
enum st azure_auth_sign(struct azure_auth *a, const struct cloud_request *request, bool is_tls,
                        struct buf *url, struct buf *headers, struct err *err) MUST_USE;

/* The store calls the token outdated; true when another one may be had. */
bool azure_auth_renew(struct azure_auth *a);

#endif
