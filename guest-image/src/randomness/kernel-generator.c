/*
 * An OpenSSL provider whose only random bit generator is the kernel's. It has no
 * state, so that two machines restored from one memory draw different numbers as
 * soon as their kernels do.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>

#define UNUSED __attribute__((unused))
#define STRENGTH_BITS 256u
#define REQUEST_BYTES_MAX ((size_t)1 << 16)
#define STATE_READY 1 /* EVP_RAND_STATE_READY */

/* All contexts share it, since a generator has no state. */
static char generator;

/* OpenSSL's own generators below this one reseed whenever the value changes. */
static atomic_uint reseedCount;

static int fill(unsigned char *out, size_t length)
{
    while (length > 0) {
        ssize_t count = getrandom(out, length, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return 0;
        out += count;
        length -= (size_t)count;
    }
    return 1;
}

static void *newContext(UNUSED void *provider, UNUSED void *parent, UNUSED const OSSL_DISPATCH *parentCalls)
{
    return &generator;
}

static void freeContext(UNUSED void *context) {}

static int instantiate(UNUSED void *context, unsigned int strength, UNUSED int predictionResistance,
                       UNUSED const unsigned char *personalization, UNUSED size_t personalizationLength,
                       UNUSED const OSSL_PARAM parameters[])
{
    return strength <= STRENGTH_BITS;
}

static int uninstantiate(UNUSED void *context)
{
    return 1;
}

static int generate(UNUSED void *context, unsigned char *out, size_t length, unsigned int strength,
                    UNUSED int predictionResistance, UNUSED const unsigned char *additional,
                    UNUSED size_t additionalLength)
{
    return strength <= STRENGTH_BITS && fill(out, length);
}

static int reseed(UNUSED void *context, UNUSED int predictionResistance, UNUSED const unsigned char *entropy,
                  UNUSED size_t entropyLength, UNUSED const unsigned char *additional, UNUSED size_t additionalLength)
{
    return 1;
}

static size_t nonce(UNUSED void *context, unsigned char *out, UNUSED unsigned int strength, size_t lengthMin,
                    UNUSED size_t lengthMax)
{
    if (out != NULL && !fill(out, lengthMin))
        return 0;
    return lengthMin;
}

static size_t getSeed(UNUSED void *context, unsigned char **out, int entropyBits, size_t lengthMin, size_t lengthMax,
                      UNUSED int predictionResistance, UNUSED const unsigned char *additional,
                      UNUSED size_t additionalLength)
{
    size_t length = ((size_t)entropyBits + 7) / 8;
    if (length < lengthMin)
        length = lengthMin;
    if (length == 0 || length > lengthMax)
        return 0;
    *out = malloc(length);
    if (*out == NULL)
        return 0;
    if (fill(*out, length))
        return length;
    free(*out);
    *out = NULL;
    return 0;
}

static void clearSeed(UNUSED void *context, unsigned char *seed, size_t length)
{
    if (seed != NULL)
        explicit_bzero(seed, length);
    free(seed);
}

/* It is thread-safe without a lock. */
static int enableLocking(UNUSED void *context)
{
    return 1;
}

static int setUnsigned(const OSSL_PARAM *parameter, unsigned long long value)
{
    OSSL_PARAM *written = (OSSL_PARAM *)parameter;
    if (parameter->data_type != OSSL_PARAM_UNSIGNED_INTEGER && parameter->data_type != OSSL_PARAM_INTEGER)
        return 0;
    if (parameter->data_size == sizeof(unsigned int))
        *(unsigned int *)parameter->data = (unsigned int)value;
    else if (parameter->data_size == sizeof(unsigned long long))
        *(unsigned long long *)parameter->data = value;
    else
        return 0;
    written->return_size = parameter->data_size;
    return 1;
}

static int getContextParameters(UNUSED void *context, OSSL_PARAM parameters[])
{
    for (OSSL_PARAM *parameter = parameters; parameter != NULL && parameter->key != NULL; parameter++) {
        int done = 1;
        if (strcmp(parameter->key, OSSL_RAND_PARAM_STATE) == 0)
            done = setUnsigned(parameter, STATE_READY);
        else if (strcmp(parameter->key, OSSL_RAND_PARAM_STRENGTH) == 0)
            done = setUnsigned(parameter, STRENGTH_BITS);
        else if (strcmp(parameter->key, OSSL_RAND_PARAM_MAX_REQUEST) == 0)
            done = setUnsigned(parameter, REQUEST_BYTES_MAX);
        else if (strcmp(parameter->key, OSSL_DRBG_PARAM_RESEED_COUNTER) == 0)
            done = setUnsigned(parameter, atomic_fetch_add(&reseedCount, 1) + 1);
        if (!done)
            return 0;
    }
    return 1;
}

static const OSSL_PARAM *gettableContextParameters(UNUSED void *context, UNUSED void *provider)
{
    static const OSSL_PARAM parameters[] = {
        {OSSL_RAND_PARAM_STATE, OSSL_PARAM_INTEGER, NULL, sizeof(int), OSSL_PARAM_UNMODIFIED},
        {OSSL_RAND_PARAM_STRENGTH, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(unsigned int), OSSL_PARAM_UNMODIFIED},
        {OSSL_RAND_PARAM_MAX_REQUEST, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), OSSL_PARAM_UNMODIFIED},
        {OSSL_DRBG_PARAM_RESEED_COUNTER, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(unsigned int), OSSL_PARAM_UNMODIFIED},
        {NULL, 0, NULL, 0, 0},
    };
    return parameters;
}

#define CALL(id, function) {id, (void (*)(void))function}

static const OSSL_DISPATCH generatorCalls[] = {
    CALL(OSSL_FUNC_RAND_NEWCTX, newContext),
    CALL(OSSL_FUNC_RAND_FREECTX, freeContext),
    CALL(OSSL_FUNC_RAND_INSTANTIATE, instantiate),
    CALL(OSSL_FUNC_RAND_UNINSTANTIATE, uninstantiate),
    CALL(OSSL_FUNC_RAND_GENERATE, generate),
    CALL(OSSL_FUNC_RAND_RESEED, reseed),
    CALL(OSSL_FUNC_RAND_NONCE, nonce),
    CALL(OSSL_FUNC_RAND_GET_SEED, getSeed),
    CALL(OSSL_FUNC_RAND_CLEAR_SEED, clearSeed),
    CALL(OSSL_FUNC_RAND_ENABLE_LOCKING, enableLocking),
    CALL(OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS, gettableContextParameters),
    CALL(OSSL_FUNC_RAND_GET_CTX_PARAMS, getContextParameters),
    {0, NULL},
};

/* It has the name of OpenSSL's default generator, which is used when this one cannot be loaded. */
static const OSSL_ALGORITHM generators[] = {
    {"CTR-DRBG", "provider=opencomputer", generatorCalls, "The kernel's generator (getrandom)"},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM *query(UNUSED void *provider, int operation, int *noCache)
{
    *noCache = 0;
    return operation == OSSL_OP_RAND ? generators : NULL;
}

static const OSSL_PARAM *gettableParameters(UNUSED void *provider)
{
    static const OSSL_PARAM parameters[] = {
        {OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, NULL, sizeof(int), OSSL_PARAM_UNMODIFIED},
        {NULL, 0, NULL, 0, 0},
    };
    return parameters;
}

static int getParameters(UNUSED void *provider, OSSL_PARAM parameters[])
{
    for (OSSL_PARAM *parameter = parameters; parameter != NULL && parameter->key != NULL; parameter++) {
        if (strcmp(parameter->key, OSSL_PROV_PARAM_STATUS) == 0 && !setUnsigned(parameter, 1))
            return 0;
    }
    return 1;
}

static const OSSL_DISPATCH providerCalls[] = {
    CALL(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, gettableParameters),
    CALL(OSSL_FUNC_PROVIDER_GET_PARAMS, getParameters),
    CALL(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
    {0, NULL},
};

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, UNUSED const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                       void **context)
{
    *out = providerCalls;
    *context = (void *)handle;
    return 1;
}
