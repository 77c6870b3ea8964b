// Runs before anything is painted: applies the choice of light or dark, if there is one.
{
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}
