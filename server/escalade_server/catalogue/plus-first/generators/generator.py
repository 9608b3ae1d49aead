import random

LIMIT = 10**6


def build(count, highest):
    """An expression of `count` numbers, its value, and its kind: a number, a sum or a product."""
    if count == 1:
        number = random.randint(1, highest)
        return str(number), number, "number"
    while True:
        left_count = random.randint(1, count - 1)
        left, right = build(left_count, highest), build(count - left_count, highest)
        sign = random.choice("++-**")
        if sign == "*":
            value, kind = left[1] * right[1], "product"
            texts = [left[0], right[0]]
        else:
            value, kind = left[1] + right[1] if sign == "+" else left[1] - right[1], "sum"
            # A product is bracketed inside a sum, and so is a sum on the right-hand side.
            texts = [
                f"({left[0]})" if left[2] == "product" else left[0],
                f"({right[0]})" if right[2] != "number" else right[0],
            ]
        if abs(value) <= LIMIT and not (sign == "*" and value == 0):
            return sign.join(texts), value, kind


def generate_testcase(params):
    n, highest = params["n"], params["highest"]
    while True:
        expression, _, _ = build(n, highest)
        if "*" in expression and ("+" in expression or "-" in expression):
            return f"{expression}\n", {"expression": expression}
