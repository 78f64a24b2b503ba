/* Finding elements in objects, for view.h. */
#include "bindings/python/src/view.h"

#include <string.h>

#include "bindings/python/src/formats.h"

/* ---- element types ---- */

static bool find_dtype(PyObject *name, muster_dtype *dtype)
{
    for (int i = 0; i < MUSTER_DTYPE_COUNT; i++) {
        if (PyUnicode_CompareWithASCIIString(name, muster_dtype_name((muster_dtype)i)) != 0)
            continue;
        *dtype = (muster_dtype)i;
        return true;
    }
    return false;
}

bool dtype_of_name(PyObject *name, muster_dtype *dtype)
{
    if (PyUnicode_Check(name) && find_dtype(name, dtype)) /* as it is mostly spelt: no call of Python */
        return true;
    PyObject *spelt = PyObject_CallFunctionObjArgs(state_of_module()->name_of, name, NULL);
    bool found = spelt && find_dtype(spelt, dtype);

    Py_XDECREF(spelt);
    return found;
}

static bool is_small_integer(muster_dtype dtype)
{
    return dtype == MUSTER_INT8 || dtype == MUSTER_UINT8 || dtype == MUSTER_INT16 || dtype == MUSTER_UINT16;
}

/* Integers stand for floats that arrays have no word for. What is only moved has no type of its own. */
static bool may_stand_for(muster_dtype given, muster_dtype wanted)
{
    bool has_no_word = wanted == MUSTER_BFLOAT16 || wanted == MUSTER_FLOAT16 ||
                       wanted == MUSTER_FLOAT8_E4M3 || wanted == MUSTER_FLOAT8_E5M2;
    return given == wanted || given >= MUSTER_BYTES_OF || (is_small_integer(given) && has_no_word);
}

/* The text that the metadata of an array's dtype has under "muster", or NULL, without an exception. */
static PyObject *read_mark(PyObject *array)
{
    static PyObject *names[2]; /* made once: that takes as long as all the rest */

    if (!names[0])
        names[0] = PyUnicode_InternFromString("dtype");
    if (!names[1])
        names[1] = PyUnicode_InternFromString("metadata");
    PyObject *dtype = names[0] && names[1] ? PyObject_GetAttr(array, names[0]) : NULL, *mark = NULL;
    PyObject *metadata = dtype ? PyObject_GetAttr(dtype, names[1]) : NULL;

    if (metadata && metadata != Py_None)
        mark = PyMapping_GetItemString(metadata, "muster");
    PyErr_Clear(); /* others' metadata */
    Py_XDECREF(dtype);
    Py_XDECREF(metadata);
    return mark;
}

/* Of numpy's arrays of integers that muster itself has made to stand for floats: what they stand for. */
static void take_mark(PyObject *object, view *view)
{
    PyTypeObject *ndarray = (PyTypeObject *)state_of_module()->ndarray;
    muster_dtype marked;

    if (!is_small_integer(view->dtype) || (PyObject *)ndarray == Py_None ||
        !PyType_IsSubtype(Py_TYPE(object), ndarray))
        return;
    PyObject *mark = read_mark(object);
    if (mark && PyUnicode_Check(mark) && find_dtype(mark, &marked) &&
        muster_dtype_size(marked) == muster_dtype_size(view->dtype))
        view->dtype = marked;
    Py_XDECREF(mark);
}

/* What the caller says that the elements are: of the same size. */
static int retype(PyObject *name, view *view)
{
    muster_dtype wanted;

    if (!dtype_of_name(name, &wanted))
        return -1;
    if (muster_dtype_size(wanted) != muster_dtype_size(view->dtype)) {
        PyErr_Format(PyExc_ValueError, "elements of %s cannot be taken for %s: they differ in size",
                     muster_dtype_name(view->dtype), muster_dtype_name(wanted));
        return -1;
    }
    if (!may_stand_for(view->dtype, wanted)) {
        PyErr_Format(PyExc_ValueError,
                     "the elements are %s, and dtype says %s, which converts nothing: it is for "
                     "integers with the bits of bfloat16, float16 or 8-bit floats; convert the array first",
                     muster_dtype_name(view->dtype), muster_dtype_name(wanted));
        return -1;
    }
    view->dtype = wanted;
    return 1;
}

/* ---- the buffer protocol ---- */

/* Elements that muster does not know are moved as so many bytes, if bytes are what they are. */
static bool dtype_of_bytes(const char *format, size_t bytes, muster_dtype *dtype)
{
    if (bytes == 0 || bytes >= 0x40000000 || (format && holds_addresses(format)))
        return false;
    *dtype = MUSTER_BYTES(bytes);
    return true;
}

static int refuse_format(const char *format)
{
    PyErr_Format(
        PyExc_ValueError,
        "elements of format \"%s\" are of no type that muster knows; expected bool, int8 ... int64, "
        "uint8 ... uint64, float16, bfloat16, float32, float64, complex64, complex128, or a structure of a "
        "value and an index: int32 and int32, int64 and int64, float32 and int32, float64 and int64",
        format ? format : "");
    return -1;
}

bool view_is_of_numbers(const view *view)
{
    return view->dtype < MUSTER_BYTES_OF || refuse_format(view->has_buffer ? view->buffer.format : "") == 0;
}

static int open_buffer(PyObject *object, bool writable, view *view)
{
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);

    if (PyObject_GetBuffer(object, &view->buffer, flags) < 0) {
        if (!PyErr_ExceptionMatches(PyExc_BufferError) && !PyErr_ExceptionMatches(PyExc_ValueError))
            return -1;
        PyErr_Clear();
        return 0;
    }
    view->has_buffer = true;
    size_t bytes = (size_t)view->buffer.itemsize;
    if (view->buffer.ndim > VIEW_DIMENSIONS_MAX ||
        (!dtype_of_format(view->buffer.format, bytes, &view->dtype) &&
         !dtype_of_bytes(view->buffer.format, bytes, &view->dtype)))
        return refuse_format(view->buffer.format);
    view->data = view->buffer.buf;
    view->count = bytes ? (size_t)view->buffer.len / bytes : 0;
    view->dimensions = view->buffer.ndim;
    for (int i = 0; i < view->dimensions; i++)
        view->shape[i] = view->buffer.shape[i];
    return 1;
}

/* ---- DLPack, as its header says (dlpack.h of version 0.8) ---- */

typedef struct dl_tensor {
    void *data;
    int32_t device_type, device_id;
    int32_t dimensions;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} dl_tensor;

typedef struct dl_managed_tensor {
    dl_tensor tensor;
    void *context;
    void (*deleter)(struct dl_managed_tensor *self);
} dl_managed_tensor;

enum { DL_CPU = 1, DL_INT = 0, DL_UINT = 1, DL_FLOAT = 2, DL_BFLOAT = 4, DL_COMPLEX = 5, DL_BOOL = 6 };
enum { DL_FLOAT8_E4M3FN = 10, DL_FLOAT8_E5M2 = 12 }; /* of version 1.1 */

static bool dtype_of_dlpack(const dl_tensor *tensor, muster_dtype *dtype)
{
    size_t bytes = tensor->bits / 8;

    if (tensor->lanes != 1)
        return false;
    if (tensor->code == DL_INT || tensor->code == DL_UINT)
        return integer_of(bytes, tensor->code == DL_INT, dtype);
    *dtype = tensor->code == DL_BFLOAT && bytes == 2          ? MUSTER_BFLOAT16
             : tensor->code == DL_FLOAT && bytes == 2         ? MUSTER_FLOAT16
             : tensor->code == DL_FLOAT && bytes == 4         ? MUSTER_FLOAT32
             : tensor->code == DL_FLOAT && bytes == 8         ? MUSTER_FLOAT64
             : tensor->code == DL_COMPLEX && bytes == 8       ? MUSTER_COMPLEX64
             : tensor->code == DL_COMPLEX && bytes == 16      ? MUSTER_COMPLEX128
             : tensor->code == DL_FLOAT8_E4M3FN && bytes == 1 ? MUSTER_FLOAT8_E4M3
             : tensor->code == DL_FLOAT8_E5M2 && bytes == 1   ? MUSTER_FLOAT8_E5M2
                                                              : MUSTER_BOOL;
    return *dtype != MUSTER_BOOL || (tensor->code == DL_BOOL && bytes == 1);
}

static bool in_c_order(const dl_tensor *tensor)
{
    int64_t stride = 1;

    for (int i = 0; i < tensor->dimensions; i++)
        if (tensor->shape[i] == 0) /* then strides, of whatever value, lead nowhere */
            return true;
    for (int i = tensor->dimensions - 1; tensor->strides && i >= 0; i--) {
        if (tensor->shape[i] > 1 && tensor->strides[i] != stride)
            return false;
        stride *= tensor->shape[i];
    }
    return true;
}

static int take_tensor(const dl_tensor *tensor, view *view)
{
    if (tensor->device_type != DL_CPU) {
        PyErr_SetString(PyExc_ValueError,
                        "the elements are not in this machine's memory; copy them to the CPU");
        return -1;
    }
    if (tensor->dimensions > VIEW_DIMENSIONS_MAX || !dtype_of_dlpack(tensor, &view->dtype)) {
        PyErr_SetString(PyExc_ValueError, "the elements are of no type that muster knows");
        return -1;
    }
    if (!in_c_order(tensor))
        return 0;
    view->data = (char *)tensor->data + tensor->byte_offset;
    view->dimensions = tensor->dimensions;
    view->count = 1;
    for (int i = 0; i < view->dimensions; i++) {
        view->shape[i] = (Py_ssize_t)tensor->shape[i];
        view->count *= (size_t)tensor->shape[i];
    }
    return 1;
}

/* DLPack cannot say of a tensor of torch's that its elements are to be negated. */
static int is_negative(PyObject *object)
{
    if (!PyObject_HasAttrString(object, "is_neg"))
        return 0;
    PyObject *answer = PyObject_CallMethod(object, "is_neg", NULL);
    int negative = answer ? PyObject_IsTrue(answer) : -1;

    Py_XDECREF(answer);
    return negative;
}

static int open_dlpack(PyObject *object, view *view)
{
    int negative = is_negative(object);

    if (negative != 0)
        return negative < 0 ? -1 : 0;
    view->capsule = PyObject_CallMethod(object, "__dlpack__", NULL);
    if (!view->capsule) { /* of a tensor with a gradient, and the like: as_array knows what to do, or says so
                           */
        if (!PyErr_ExceptionMatches(PyExc_BufferError))
            return -1;
        PyErr_Clear();
        return 0;
    }
    dl_managed_tensor *managed = PyCapsule_GetPointer(view->capsule, "dltensor");
    return managed ? take_tensor(&managed->tensor, view) : -1;
}

/* ---- either ---- */

/* A subclass of numpy's arrays may be one with a mask, which would be lost. */
static bool is_whole(PyObject *object)
{
    const module_state *state = state_of_module();
    PyTypeObject *ndarray = (PyTypeObject *)state->ndarray;

    if (state->ndarray == Py_None || Py_TYPE(object) == ndarray ||
        !PyType_IsSubtype(Py_TYPE(object), ndarray))
        return true;
    PyObject *is_well = PyObject_CallFunctionObjArgs(state->refuse_masked, object, NULL);
    Py_XDECREF(is_well);
    return is_well != NULL;
}

int view_open(PyObject *object, bool writable, PyObject *dtype, view *view)
{
    int opened = 0;

    view->has_buffer = false;
    view->capsule = NULL;
    if (!is_whole(object))
        return -1;
    if (PyObject_CheckBuffer(object))
        opened = open_buffer(object, writable, view);
    else if (PyObject_HasAttrString(object, "__dlpack__"))
        opened = open_dlpack(object, view);
    if (opened == 1 && dtype && dtype != Py_None)
        opened = retype(dtype, view);
    else if (opened == 1 && view->has_buffer)
        take_mark(object, view);
    if (opened != 1)
        view_close(view);
    return opened;
}

void view_close(view *view)
{
    if (view->has_buffer)
        PyBuffer_Release(&view->buffer);
    Py_CLEAR(view->capsule); /* its own destructor deletes a tensor that nobody took */
    view->has_buffer = false;
}

PyObject *python_elements_of(PyObject *module, PyObject *object)
{
    view view;
    int opened = view_open(object, false, NULL, &view);

    (void)module;
    if (opened != 1)
        return opened < 0 ? NULL : Py_NewRef(Py_None);
    PyObject *shape = PyTuple_New(view.dimensions);
    for (int i = 0; shape && i < view.dimensions; i++)
        PyTuple_SetItem(shape, i, PyLong_FromSsize_t(view.shape[i]));
    PyObject *found = shape ? Py_BuildValue("(sN)", muster_dtype_name(view.dtype), shape) : NULL;
    view_close(&view);
    return found;
}

/* ---- what cannot be written to ---- */

static bool is_read_only(PyObject *object)
{
    Py_buffer buffer;

    if (!PyObject_CheckBuffer(object))
        return false;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_STRIDED_RO) < 0) {
        PyErr_Clear();
        return false;
    }
    bool read_only = buffer.readonly;
    PyBuffer_Release(&buffer);
    return read_only;
}

void raise_unwritable(PyObject *object, const char *call)
{
    const char *expected = "expected an array in C order";

    if (is_read_only(object)) {
        PyErr_Format(PyExc_TypeError, "%s(): out is read-only; expected an array that can be written to",
                     call);
        return;
    }
    if (!PyObject_CheckBuffer(object) && !PyObject_HasAttrString(object, "__dlpack__")) {
        PyErr_Format(PyExc_TypeError, "%s(): out cannot be written to: %R is no array; %s", call, object,
                     expected);
        return;
    }
    PyObject *why = PyObject_CallFunctionObjArgs(state_of_module()->refuse_tensor, object, NULL);
    if (why && why != Py_None)
        PyErr_Format(PyExc_TypeError, "%s(): out cannot be written to without a copy: %U", call, why);
    else if (why)
        PyErr_Format(PyExc_TypeError, "%s(): out cannot be written to without a copy; %s", call, expected);
    Py_XDECREF(why);
}
