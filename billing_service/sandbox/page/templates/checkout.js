"use strict";

// Comfort only: the page works without any of this.
const form = document.querySelector("[data-checkout]");

const grouped = (text) => {
  const digits = text.replace(/\D/g, "").slice(0, 19);
  const amex = /^3[47]/.test(digits);
  if (!amex) return digits.replace(/(\d{4})(?=\d)/g, "$1 ");
  const joined = (_, ...parts) => parts.slice(0, 3).filter(Boolean).join(" ");
  return digits.replace(/^(\d{4})(\d{1,6})?(\d{1,5})?.*$/, joined);
};

const slashed = (text) => {
  const digits = text.replace(/\D/g, "").slice(0, 4);
  return digits.length > 2 ? `${digits.slice(0, 2)} / ${digits.slice(2)}` : digits;
};

const formatAtEnd = (input, format) => {
  input.addEventListener("input", () => {
    if (input.selectionStart === input.value.length) input.value = format(input.value);
  });
};

if (form) {
  const field = (name) => form.elements.namedItem(name);
  if (field("number")) formatAtEnd(field("number"), grouped);
  if (field("expiry")) formatAtEnd(field("expiry"), slashed);
  form.addEventListener("input", ({ target }) => target.setAttribute("aria-invalid", "false"));
  form.addEventListener("submit", () => form.querySelector(".pay").setAttribute("aria-busy", "true"));
  window.addEventListener("pageshow", () => form.querySelector(".pay").removeAttribute("aria-busy"));
  form.querySelector('[aria-invalid="true"]')?.focus();
  for (const button of document.querySelectorAll("[data-fill]")) {
    button.addEventListener("click", () => {
      const nextYear = String((new Date().getFullYear() + 1) % 100).padStart(2, "0");
      const card = form.querySelector('input[name="method"][value="card"]');
      if (card) card.checked = true;
      const values = {
        number: button.dataset.fill,
        expiry: `12 / ${nextYear}`,
        cvc: "123",
        name: field("name")?.value || "Jenny Rosen",
        email: field("email")?.value || "jenny.rosen@example.com",
      };
      for (const [name, value] of Object.entries(values)) if (field(name)) field(name).value = value;
      form.querySelector(".pay").focus();
    });
  }
}
